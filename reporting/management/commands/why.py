"""`manage.py why`: what one conversion is credited to, and by which rule each of its other touches lost."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from reporting.attribution import why
from reporting.attribution.options import CHOICES, OF_RULES, rules_of
from reporting.formats.presentation import render
from reporting.management import answers
from reporting.reports.question import BadQuestion, zone_of
from reporting.snapshot import snapshot
from runtime.display import on_terminal


class Command(BaseCommand):
    """Prints the touches of a conversion, in the order of the rules."""

    help = "Show what a conversion is credited to: its touches, which won, and by which rule the others lost."
    # The checks are for the server; a pipeline wants the answer alone.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("event", metavar="EVENT", help="the id of the event; with --partner the sender's event_id")
        parser.add_argument("--partner", metavar="NAME", help="EVENT is the event_id that this partner sent")
        parser.add_argument("--tz", metavar="ZONE", default="UTC", help="time zone of all that is shown (UTC)")
        parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
        for name, (default, sentence) in OF_RULES.items():
            choices = f": {', '.join(CHOICES[name])}" if name in CHOICES else ""
            parser.add_argument(f"--{name}", default=default, help=f"{sentence}{choices} (default: {default})")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the answer. Raises CommandError for an event that is no conversion, with the reason."""
        try:
            by = rules_of({name: options[name.replace("-", "_")] for name in OF_RULES})
            zone = zone_of(options["tz"])
            with snapshot():
                answer = why.why(_asked(options), by, zone)
        except BadQuestion as error:
            raise CommandError(on_terminal(_with_option(str(error))), returncode=answers.WRONG) from None
        except Error as error:
            raise answers.failed(error) from error
        self.stdout.write(render(options["format"], answer, answers.presentation(self, zone)).decode(), ending="")


def _asked(options: dict[str, Any]) -> why.Asked:
    if (name := options["partner"]) is None:
        return why.asked_by_id(options["event"])
    return why.asked_by_event_id(options["event"], answers.partner_of(name))


def _with_option(text: str) -> str:
    """Return what is wrong with an option with the name that it has here: `--model: …`."""
    return f"--{text}" if text.partition(":")[0] in (*OF_RULES, "partner") else text
