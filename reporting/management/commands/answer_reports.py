"""`manage.py answer_reports`: answers the questions of pages that wait. The server starts it by itself."""

import os
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from reporting.runs import answering
from runtime import failures
from runtime.display import on_terminal

# The processor is there for senders first.
NICENESS = 10


class Command(BaseCommand):
    """Answers until nothing waits."""

    help = "Answer the reports that pages have asked for, until none waits. The server starts this by itself."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the option that the server uses."""
        said = "end as soon as standard input ends, as it does when the server that started this is gone"
        parser.add_argument("--until-input-ends", action="store_true", help=said)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Answer. Raises CommandError if the database fails."""
        if options["until_input_ends"]:
            os.nice(NICENESS)
            threading.Thread(target=_end_with_input, name="input", daemon=True).start()
        try:
            answered = answering.work()
        except Error as error:
            raise CommandError(on_terminal(failures.in_words(error) or failures.reason(error))) from error
        if not options["until_input_ends"]:
            self.stdout.write(f"{answered} answered")


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(0)
