"""`manage.py list_keys`: lists all keys, without anything secret."""

from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand

from keys.models import ApiKey
from runtime import display

HEADINGS = ("PARTNER", "PREFIX", "LABEL", "KIND", "STATE", "CREATED", "EXPIRES", "LAST USED")


def _cells(key: ApiKey) -> Sequence[str]:
    return (
        display.on_terminal(key.partner.name),
        key.prefix,
        display.on_terminal(key.label),
        "test" if key.is_test else "live",
        key.state,
        display.minute(key.created_at),
        display.minute(key.expires_at),
        display.minute(key.last_used_at),
    )


class Command(BaseCommand):
    """Prints one line per key, sorted by partner, with times in UTC."""

    help = "List the API keys: partner, prefix, label, live or test, state, and when."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Write the table to standard output."""
        keys = ApiKey.objects.select_related("partner").order_by("partner__name", "created_at", "id")
        rows = [HEADINGS, *map(_cells, keys)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())
