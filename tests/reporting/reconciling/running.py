"""The command as a test runs it."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import call_command

DAY = datetime(2026, 11, 20, tzinfo=UTC)


def reconcile(*arguments: Any) -> tuple[int, str]:
    """The exit status and what was printed."""
    out = io.StringIO()
    try:
        call_command("reconcile", *map(str, arguments), stdout=out, no_color=True)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def lines_of(said: str) -> list[str]:
    return [" ".join(line.split()) for line in said.splitlines()]


def csv_file(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path
