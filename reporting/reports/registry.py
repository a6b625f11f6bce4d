"""All reports. The command, the pages and the documentation read their names, sentences and options here alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import import_module

from reporting.reports.answer import Answer
from reporting.reports.question import BadQuestion, Question
from reporting.snapshot import snapshot

# Each is the name of a report and of the module beside this one that has it as `REPORT`. People see them in this order.
_MODULES = (
    "daily",
    "funnel",
    "conversions",
    "attribution",
    "params",
    "quality",
    "late",
)


@dataclass(frozen=True, slots=True)
class Argument:
    """What stands behind a report's name, such as the name of an event. The last one may be given several times."""

    metavar: str
    sentence: str
    is_many: bool = False

    @property
    def label(self) -> str:
        """The name for people."""
        return self.metavar.capitalize()


@dataclass(frozen=True, slots=True)
class Option:
    """An option of one report: `window` is `--window` of the command. `choices` are all values that it can have."""

    name: str
    metavar: str
    default: str
    sentence: str
    choices: Sequence[str] = ()

    @property
    def label(self) -> str:
        """The name for people."""
        return self.name.replace("-", " ").replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Report:
    """A report: what it is called, what it tells in a sentence, what it takes, and the function that answers.

    `answer` is given all arguments and each option with a value; it raises `BadQuestion` for a value that is none.
    """

    name: str
    title: str
    sentence: str
    answer: Callable[[Question], Answer]
    arguments: Sequence[Argument] = ()
    options: Sequence[Option] = field(default_factory=tuple)
    # Whether the question reads so few counts that a page answers it at once (`figures.promptness`). Reports without
    # it read events, which may take minutes.
    is_prompt: Callable[[Question], bool] = lambda _question: False
    # Options with which more questions are prompt; a page that has to wait offers them.
    sooner: Mapping[str, str] = field(default_factory=dict)


class _Reports(Mapping[str, Report]):
    """The reports by their names, each loaded when somebody asks for it."""

    def __getitem__(self, name: str) -> Report:
        if name not in _MODULES:
            raise KeyError(name)
        report: Report = import_module(f"reporting.reports.{name}").REPORT
        return report

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


REPORTS: Mapping[str, Report] = _Reports()


def ask(name: str, question: Question) -> Answer:
    """Return the answer of the report, with the defaults of options that the question does not name.

    All of it is of one moment. Raises `BadQuestion` for a report, an argument or an option that there is not, or that
    is missing.
    """
    whole = completed(name, question)
    with snapshot():
        return REPORTS[name].answer(whole)


def completed(name: str, question: Question) -> Question:
    """Return the question with the defaults of options that it does not name. Raises `BadQuestion` as `ask`.

    What only the report itself can tell of its options is not looked at.
    """
    if name not in REPORTS:
        raise BadQuestion(f"There is no report {name!r}{near(name, REPORTS)}")
    report = REPORTS[name]
    _check_arguments(report, question.arguments)
    for text in (*question.arguments, *question.options.values()):
        check_text(text)
    return replace(question, options=_options(report, question.options))


def check_text(text: str) -> None:
    """Raise `BadQuestion` for a text that no event has, and no database could be asked for."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadQuestion(f"{text!r} is not UTF-8") from None
    if "\0" in text:
        raise BadQuestion(f"{text!r} has the character U+0000, which no text here can have")


def near(name: str, names: Sequence[str] | Mapping[str, object]) -> str:
    """Return the end of a sentence that says which of the names may have been meant, or all that there are."""
    if found := get_close_matches(name, names, 1):
        return f": did you mean {found[0]}?"
    return f"; there are {', '.join(names)}" if names else ""


def _check_arguments(report: Report, given: Sequence[str]) -> None:
    wanted = report.arguments
    if missing := wanted[len(given) :]:
        raise BadQuestion(f"{report.name} needs {missing[0].metavar}: {missing[0].sentence}")
    if len(given) > len(wanted) and not (wanted and wanted[-1].is_many):
        raise BadQuestion(f"{report.name} takes no more arguments: {given[len(wanted)]!r} is one too many")


def _options(report: Report, given: Mapping[str, str]) -> dict[str, str]:
    known = {option.name: option for option in report.options}
    for name, value in given.items():
        if name not in known:
            raise BadQuestion(f"{report.name} has no option {name!r}{near(name, known)}")
        if known[name].choices and value not in known[name].choices:
            raise BadQuestion(f"{name}: {value!r} is none of {', '.join(known[name].choices)}")
    return {name: option.default for name, option in known.items()} | dict(given)
