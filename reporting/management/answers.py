"""What the commands that answer a question have in common: the partner's name, how an answer looks, and failures."""

import shutil
from datetime import tzinfo
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from keys.models import Partner
from reporting.formats.presentation import Presentation
from reporting.reports.question import BadQuestion
from runtime import failures
from runtime.display import on_terminal

# The exit status of wrong options, as argparse has it.
WRONG = 2


def partner_of(name: str) -> Partner:
    """Return the partner of this name. Raises `BadQuestion` if there is none."""
    partner = Partner.objects.filter(name=name).first()
    if partner is None:
        raise BadQuestion(f"partner: {Partner.objects.all().unknown(name)}")
    return partner


def presentation(of: BaseCommand, zone: tzinfo, *, is_file: bool = False, **more: Any) -> Presentation:
    """Return how an answer of the command is written: with the width and colours of a terminal, if it goes to one."""
    is_shown = not is_file and of.stdout.isatty()
    return Presentation(
        zone=zone,
        width=shutil.get_terminal_size().columns if is_shown else None,
        heading=of.style.MIGRATE_HEADING if is_shown else str,
        **more,
    )


def failed(error: Error) -> CommandError:
    """Return what is said of a database that fails."""
    return CommandError(on_terminal(failures.in_words(error) or failures.reason(error)))
