"""`manage.py traffic`: the ledger of outcomes on a terminal, as the console's ledger page has it."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error

from keys.models import Partner
from reporting import conservation, ranges, traffic
from reporting.conservation import Conservation
from reporting.ranges import BadRange
from reporting.traffic import Totals, Whose
from runtime import failures
from runtime.display import number, on_terminal, share

# The exit status if events are not accounted for.
BROKEN = 2


class Command(BaseCommand):
    """Prints what came in, what became of it, and whether the numbers agree."""

    help = "Show what came in and what became of it, from the ledger of outcomes. Exit status 2: a difference."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the range and whose traffic is meant."""
        parser.add_argument("--range", default="24h", choices=ranges.LENGTHS, help="the time until now: %(default)s")
        parser.add_argument("--from", metavar="MOMENT", help="since when, such as 2026-11-26T14:00Z")
        parser.add_argument("--until", metavar="MOMENT", help="until when")
        parser.add_argument("--partner", metavar="NAME", help="of one partner alone")
        parser.add_argument("--test", action="store_true", help="of test keys")
        parser.add_argument("--json", action="store_true", help="for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the numbers. Raises CommandError for an unknown partner or time, or if the database fails."""
        query = {name: options[name] for name in ("range", "from", "until") if options[name]}
        try:
            over = ranges.of_query(query)
            whose = Whose(self._partner(options["partner"]), is_test=options["test"])
            equation = conservation.of(over, whose)
            found = traffic.totals(equation.over, whose)
        except BadRange as error:
            raise CommandError(str(error)) from None
        except Error as error:
            raise CommandError(failures.in_words(error) or failures.reason(error)) from error
        self._tell(found, equation, as_json=options["json"])
        if not equation.is_whole and not equation.is_explained:
            raise SystemExit(BROKEN)

    def _partner(self, name: str | None) -> int | None:
        if name is None:
            return None
        partner = Partner.objects.filter(name=name).first()
        if partner is None:
            raise CommandError(Partner.objects.unknown(name))
        return partner.pk

    def _tell(self, found: Totals, equation: Conservation, *, as_json: bool) -> None:
        if as_json:
            shown = {
                **equation.over.query,
                "received": equation.received,
                "requests": found.requests,
                "bytes": found.bytes,
                "outcomes": {term.name: term.events for term in equation.terms},
                "turned_away": found.turned_away,
                "difference": equation.difference,
                "rows_difference": equation.rows and equation.rows.difference,
                "unknown": equation.unknown,
            }
            self.stdout.write(json.dumps(shown, cls=DjangoJSONEncoder))
            return
        self.stdout.write(f"{equation.over}\n\n{number(equation.received):>14}  received")
        for term in equation.terms:
            part = share(term.events / equation.received) if equation.received else ""
            self.stdout.write(f"{number(term.events):>14}  {term.name:<14}{part:>9}")
        self.stdout.write(f"{number(equation.difference):>14}  without an outcome")
        for code, requests in sorted(found.turned_away.items()):
            self.stdout.write(f"{number(requests):>14}  requests turned away: {code}")
        self._tell_rows(equation)

    def _tell_rows(self, equation: Conservation) -> None:
        if equation.rows is not None:
            terms = " ".join(
                f"{'-' if term.events < 0 else '+'} {number(abs(term.events))} {term.name}"
                for term in equation.rows.terms
                if term.events
            )
            said = "agree" if not equation.rows.difference else f"difference {equation.rows.difference:+,}"
            self.stdout.write(
                f"\n{equation.rows.over}\n{number(equation.rows.counted):>14}  rows; {terms or '0'}: {said}"
            )
        for gap in equation.gaps:
            self.stdout.write(
                f"unknown, at most {number(gap.events)}: a process on {on_terminal(gap.machine)} was killed"
            )
        for machine in equation.silent:
            self.stdout.write(f"{on_terminal(machine.name)} does not report: its counts may be missing")
