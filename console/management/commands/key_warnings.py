"""`manage.py key_warnings`: prints the warnings of the console's first page, for a terminal or a scheduler."""

from typing import Any

from django.core.management.base import BaseCommand

from console import warnings
from runtime.display import on_terminal


class Command(BaseCommand):
    """Prints one line for each warning, and nothing if there is none."""

    help = "Keys and partners to look at: ended keys still used, unused ones, expiring ones, partners fallen silent."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Write the lines to standard output."""
        for warning in warnings.find():
            subject = str(warning.partner) if warning.key is None else f"{warning.key} of {warning.partner}"
            self.stdout.write(on_terminal(f"{subject} {warning.text}"))
