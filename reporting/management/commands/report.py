"""`manage.py report`: every report on a terminal and as a file, with the options that it has."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from collect.backfills.run import STDOUT
from keys.models import Partner
from reporting.formats import output
from reporting.formats.presentation import BINARY, FORMATS, OF_ONE_TABLE, render
from reporting.management import answers
from reporting.reports import registry
from reporting.reports.answer import Answer
from reporting.reports.asked_again import as_command
from reporting.reports.periods import period
from reporting.reports.question import BadQuestion, Question, zone_of
from reporting.reports.registry import REPORTS, Report
from runtime.display import on_terminal

_OWN = "option "
_HELP = {
    "since": "events that happened from this date or moment on, such as 2026-11-01 or 2026-11-01T14:00; a date is its "
    "midnight (default: 30 days before --until)",
    "until": "events that happened before this date or moment, which is not included itself: --until 2026-12-01 ends "
    "with November (default: the coming midnight)",
    "tz": "time zone of the dates, and of all that is shown, such as Europe/Berlin (default: UTC)",
    "partner": "of one partner alone",
    "format": "default: table",
    "out": "a file in the place of standard output, which is -; it is there only once it is whole",
    "table": "only this table of the answer; csv and parquet have one, else the first",
}
_METAVARS = {"since": "WHEN", "until": "WHEN", "tz": "ZONE", "partner": "NAME", "out": "FILE", "table": "NAME"}


class _ReportParser(CommandParser):
    """The parser of one report. It says itself which option it does not know: the parser above cannot tell."""

    def parse_known_args(self, *args: Any, **kwargs: Any) -> tuple[Namespace, list[str]]:  # type: ignore[override]  # of both overloads
        """Return the options. Ends with an error that names what is unknown, and what may have been meant."""
        found, unknown = super().parse_known_args(*args, **kwargs)
        if unknown:
            options = [text for action in self._actions for text in action.option_strings if text.startswith("--")]
            name = unknown[0].partition("=")[0]
            self.error(f"{on_terminal(name)} is not known here{registry.near(name, options)}")
        return found, unknown


class Command(BaseCommand):
    """Answers one report; without a name it lists the reports."""

    help = "Answer a report. Without NAME, list the reports; `report NAME --help` lists the options of one."
    # The checks are for the server; a pipeline wants the answer alone.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add a parser for each report, with the options of all reports and its own."""
        names = parser.add_subparsers(dest="report", metavar="NAME", title="reports", parser_class=_ReportParser)
        for name, report in REPORTS.items():
            of_report = names.add_parser(name, help=report.sentence, description=report.sentence)
            for argument in report.arguments:
                many: dict[str, Any] = {"nargs": "+"} if argument.is_many else {}
                of_report.add_argument(
                    f"argument {argument.metavar}", metavar=argument.metavar, help=argument.sentence, **many
                )
            _add_options(of_report, report)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Answer. Raises CommandError, which names the option, for a question that is none, or if it failed."""
        if options["report"] is None:
            self._list()
            return
        try:
            self._answer(options)
        except BadQuestion as error:
            raise CommandError(on_terminal(_with_option(str(error), options)), returncode=answers.WRONG) from None
        except Error as error:
            raise answers.failed(error) from error
        except BrokenPipeError:
            raise CommandError("nobody reads the output any more") from None
        except OSError as error:
            raise CommandError(on_terminal(f"{options['out']}: {error.strerror or error}")) from None

    def _list(self) -> None:
        width = max(map(len, REPORTS))
        for name, report in REPORTS.items():
            self.stdout.write(f"{name:<{width}}  {report.sentence}")
        self.stdout.write("\n`manage.py report NAME --help` has the options of a report.")

    def _answer(self, options: dict[str, Any]) -> None:
        is_shown = options["out"] == STDOUT and self.stdout.isatty()
        if is_shown and options["format"] in BINARY:
            raise BadQuestion(f"format: a terminal cannot show {options['format']}; name a file with --out")
        question = _question(options)
        answer = registry.ask(options["report"], question)
        how = answers.presentation(
            self,
            question.zone,
            is_file=options["out"] != STDOUT,
            table=options["table"],
            command=as_command(options["report"], question, table=options["table"], form=options["format"]),
            made_at=datetime.now(UTC),
        )
        self._write(render(options["format"], answer, how), options["out"])
        self._tell_left_out(answer, options)

    def _write(self, content: bytes, out: str) -> None:
        if out != STDOUT:
            output.write(content, out)
        elif (buffer := getattr(self.stdout._out, "buffer", None)) is not None:
            buffer.write(content)
            buffer.flush()
        else:  # a text, as `call_command` gives it
            self.stdout.write(content.decode(), ending="")

    def _tell_left_out(self, answer: Answer, options: dict[str, Any]) -> None:
        """Say on standard error what a format of one table does not have."""
        chosen = options["table"] or answer.tables[0].name
        others = [table.name for table in answer.tables if table.name != chosen]
        if options["format"] in OF_ONE_TABLE and others:
            self.stderr.write(f"The table {chosen} alone; --table has others: {', '.join(others)}", style_func=str)
        if options["format"] == "csv":
            for note in answer.notes:
                self.stderr.write(on_terminal(note), style_func=str)


def _add_options(parser: ArgumentParser, report: Report) -> None:
    for name, said in _HELP.items():
        more: dict[str, Any] = {"choices": FORMATS} if name == "format" else {}
        default = {"format": FORMATS[0], "out": STDOUT, "tz": "UTC"}.get(name)
        parser.add_argument(f"--{name}", metavar=_METAVARS.get(name), default=default, help=said, **more)
    for name in ("traceback", "no-color", "force-color"):  # Django's, which belong in front of NAME
        parser.add_argument(f"--{name}", action="store_true", default=SUPPRESS, help=SUPPRESS)
    own = parser.add_argument_group(f"options of {report.name}") if report.options else parser
    for option in report.options:
        choices = f": {', '.join(option.choices)}" if option.choices else ""
        said = f"{option.sentence}{choices} (default: {option.default or 'none'})".replace("%", "%%")
        own.add_argument(
            f"--{option.name}", dest=_OWN + option.name, metavar=option.metavar, default=SUPPRESS, help=said
        )


def _with_option(text: str, options: Mapping[str, Any]) -> str:
    """Return what is wrong with an option with the name that it has here: `since: …` as `--since: …`."""
    name = text.partition(":")[0]
    return f"--{text}" if name in _HELP or _OWN + name in options else text


def _question(options: dict[str, Any]) -> Question:
    """Return what is asked. Raises `BadQuestion`, which names the option, and CommandError for an unknown partner."""
    try:
        zone = zone_of(options["tz"])
    except BadQuestion as error:
        raise BadQuestion(f"tz: {str(error).removeprefix('time zone: ')}") from None
    over = period(options["since"], options["until"], zone)
    arguments: list[str] = []
    for argument in REPORTS[options["report"]].arguments:
        given = options[f"argument {argument.metavar}"]
        arguments += given if argument.is_many else [given]
    own = {name.removeprefix(_OWN): value for name, value in options.items() if name.startswith(_OWN)}
    return Question(over, zone, _partner(options["partner"]), tuple(arguments), own)


def _partner(name: str | None) -> Partner | None:
    if name is None:
        return None
    registry.check_text(name)
    return answers.partner_of(name)
