"""`manage.py reconcile`: a partner's own list beside what is stored.

Exit status: 0 both say the same; 1 it failed; 2 wrong options; 3 something differs, or cannot be compared.
"""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from collect.backfills.formats.reading import FORMATS, RecordFile
from collect.backfills.formats.records import Unreadable
from collect.backfills.selection import find_partner
from reporting.formats.presentation import render
from reporting.management import answers
from reporting.reconciling import files, told
from reporting.reconciling.comparison import Comparison, Verdict, comparing
from reporting.reconciling.money import currency_of
from reporting.reconciling.tally import Tally
from reporting.reconciling.wanted import DEFAULT_NAME, Match, Role, Wanted
from reporting.reports.answer import Answer
from reporting.reports.periods import moment
from reporting.reports.question import BadQuestion, zone_of
from runtime.display import on_terminal

DIFFERS = 3
STDIN = "-"
SHOWN = 20
_COLUMNS = {"amount": Role.AMOUNT, "currency": Role.CURRENCY, "time": Role.TIME}


class Command(BaseCommand):
    """Compares a partner's file with what is stored, and writes what the partner can send again."""

    help = (
        "Compare a partner's own list of events or orders (CSV, NDJSON, JSON or Parquet, plain or compressed) with "
        "what is stored. Exit status 3: something is missing, doubled, different or unreadable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, its columns, what is compared, and where to the answer goes."""
        parser.add_argument("file", metavar="FILE", help=f"the partner's list; {STDIN} is standard input")
        parser.add_argument("--partner", required=True, metavar="NAME", help="whose events are compared")
        parser.add_argument("--format", choices=FORMATS, help="of the file; default: what it looks like")
        parser.add_argument("--id", metavar="COLUMN", help="the column of the ids; default: it is recognised")
        parser.add_argument("--match", choices=[*Match], help="what the ids are; default: by the column's name")
        parser.add_argument("--amount", metavar="COLUMN", help="the column of the amounts; - for none")
        currency = parser.add_mutually_exclusive_group()
        currency.add_argument("--currency", metavar="COLUMN", help="the column of the currencies")
        currency.add_argument("--currency-code", type=_currency, metavar="EUR", help="the currency of all amounts")
        parser.add_argument("--time", metavar="COLUMN", help="the column of the times; - for none")
        parser.add_argument(
            "--event-name", metavar="NAME", help=f"default: the file's column event_name, else {DEFAULT_NAME}"
        )
        parser.add_argument("--since", metavar="WHEN", help="events that happened from this date or moment on")
        parser.add_argument("--until", metavar="WHEN", help="events that happened before this date or moment")
        parser.add_argument("--tz", default="UTC", metavar="ZONE", help="the time zone of dates; default: %(default)s")
        parser.add_argument(
            "--tolerance", type=_count, default=0, metavar="N", help="smallest units of a currency that do not matter"
        )
        parser.add_argument("--rows", type=_count, default=SHOWN, help="rows that are shown of each kind: %(default)s")
        parser.add_argument("--resend", metavar="PATH", help="write what is missing, to be sent to /api/collect/batch")
        parser.add_argument("--out", metavar="PATH", help="write the whole comparison, as .csv or .ndjson")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the answer. Raises CommandError for what cannot be compared, SystemExit if something differs."""
        try:
            wanted = _wanted(options)
            _check_paths(options)
            answer, agrees = _reconciled(wanted, options)
        except BadQuestion as error:
            raise CommandError(on_terminal(str(error)), returncode=answers.WRONG) from None
        except Unreadable as error:
            raise CommandError(on_terminal(str(error))) from None
        except OSError as error:
            raise CommandError(on_terminal(f"{error.filename or 'file'}: {error.strerror or error}")) from None
        except Error as error:
            raise answers.failed(error) from error
        self.stdout.write(render("table", answer, answers.presentation(self, wanted.zone)).decode(), ending="")
        if not agrees:
            sys.exit(DIFFERS)


def _currency(text: str) -> str:
    try:
        return currency_of(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10):
        raise ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _wanted(options: Mapping[str, Any]) -> Wanted:
    """Return what the options ask. Raises `BadQuestion`, and CommandError for an unknown partner."""
    zone = zone_of(options["tz"])
    since, until = (
        None if options[name] is None else moment(f"--{name}", options[name], zone) for name in ("since", "until")
    )
    if since and until and since >= until:
        raise BadQuestion(f"--since {options['since']} is not before --until {options['until']}")
    return Wanted(
        partner=find_partner(options["partner"]),
        id_column=options["id"],
        match=Match(options["match"]) if options["match"] else None,
        columns={role: options[name] for name, role in _COLUMNS.items() if options[name]},
        currency_code=options["currency_code"],
        event_name=options["event_name"],
        since=since,
        until=until,
        zone=zone,
        tolerance=options["tolerance"],
    )


def _check_paths(options: Mapping[str, Any]) -> None:
    """Raise `BadQuestion` for files that overwrite each other, and names that are none of a file or tell no format."""
    if options["resend"] == STDIN:
        raise BadQuestion("--resend: name a file; standard output has the answer")
    if options["out"]:
        files.check_name(options["out"])
    paths = [Path(options[name]).resolve() for name in ("file", "out", "resend") if options[name] not in (None, STDIN)]
    if len({*paths}) < len(paths):
        raise BadQuestion("the file, --out and --resend have to be different files")


def _reconciled(wanted: Wanted, options: Mapping[str, Any]) -> tuple[Answer, bool]:
    """Return the answer, and whether both sides say the same; write the files that are asked for."""
    tally = Tally(options["rows"])
    with ExitStack() as stack:
        file = _open(options["file"], stack)
        rows = stack.enter_context(closing(file.rows(options["format"])))
        comparison = stack.enter_context(comparing(wanted, rows))
        takers = [tally.add, *_writers(options, comparison, stack)]
        for verdict in comparison.verdicts():
            for take in takers:
                take(verdict)
        return told.answer_of(comparison, tally, Path(options["file"]).name), tally.agrees


def _open(path: str, stack: ExitStack) -> RecordFile:
    if path == STDIN:
        return RecordFile("standard input", sys.stdin.buffer, None)
    file = stack.enter_context(open(path, "rb"))  # noqa: SIM115  # the stack closes it
    return RecordFile(path, file, os.fstat(file.fileno()).st_size)


def _writers(options: Mapping[str, Any], comparison: Comparison, stack: ExitStack) -> list[Callable[[Verdict], None]]:
    writers = []
    if path := options["out"]:
        writers.append(files.whole(stack.enter_context(files.written_whole(path)), path))
    if path := options["resend"]:
        file = stack.enter_context(files.written_whole(path))
        writers.append(files.again(file, comparison.match))
    return writers
