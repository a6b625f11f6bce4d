import re
from dataclasses import replace

import pytest

from reporting.reports import registry
from reporting.reports.answer import Answer
from reporting.reports.question import BadQuestion, Question
from reporting.reports.registry import REPORTS, Argument, Option, Report
from tests.reporting.reports.stored import question


def echo(asked: Question) -> Answer:
    """Answer with what was asked."""
    return Answer("echo", "Echo", dict(asked.options), (), asked.arguments)


ECHO = Report(
    "echo", "Echo", "Says what was asked.", echo, (Argument("STEP", "a step", is_many=True),),
    (Option("window", "TIME", "30d", "how long"), Option("model", "NAME", "last", "which", ("last", "first"))),
)  # fmt: skip


@pytest.fixture
def _echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        registry, "REPORTS", {"echo": ECHO, "one": replace(ECHO, name="one", arguments=(Argument("EVENT", "a name"),))}
    )


def test_every_report_has_the_name_of_its_module_and_sentences_of_its_own() -> None:
    assert set(REPORTS) >= {"params", "quality", "late"}
    for name, report in REPORTS.items():
        assert report.name == name
        assert re.fullmatch(r"[A-Z].*[^.]\.", report.sentence), name
        assert not {option.name for option in report.options} & {
            "since",
            "until",
            "tz",
            "partner",
            "format",
            "out",
            "table",
        }
        for option in report.options:
            assert not option.choices or option.default in option.choices
    assert "none" not in REPORTS
    assert len(REPORTS) == len(list(REPORTS))


@pytest.mark.usefixtures("_echo")
@pytest.mark.django_db
def test_options_that_are_not_named_have_their_defaults() -> None:
    assert registry.ask("echo", question("a", "b")) == Answer(
        "echo", "Echo", {"window": "30d", "model": "last"}, (), ("a", "b")
    )
    assert registry.ask("echo", question("a", options={"window": "1d"})).stated == {"window": "1d", "model": "last"}


@pytest.mark.usefixtures("_echo")
@pytest.mark.parametrize(
    ("name", "asked", "why"),
    [
        ("ecco", question(), "There is no report 'ecco': did you mean echo?"),
        ("xyz", question(), "There is no report 'xyz'; there are echo, one"),
        ("echo", question(), "echo needs STEP: a step"),
        ("one", question("a", "b"), "one takes no more arguments: 'b' is one too many"),
        ("echo", question("a", options={"windw": "1d"}), "echo has no option 'windw': did you mean window?"),
        ("echo", question("a", options={"model": "best"}), "model: 'best' is none of last, first"),
    ],
)
def test_what_is_no_question_is_said(name: str, asked: Question, why: str) -> None:
    with pytest.raises(BadQuestion, match=re.escape(why)):
        registry.ask(name, asked)
