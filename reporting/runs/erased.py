"""Forgets every answer when events are erased: it may show them, as an example of a value or in a list."""

from typing import Any

from django.db import transaction

from collect.storage.ledger.tally import Endpoint
from collect.storage.removal import removed
from reporting.models import ReportRun


def connect() -> None:
    """Have all that is erased pass here."""
    removed.connect(_forget, dispatch_uid="reporting.runs.erased")


def _forget(why: Endpoint, **_sent: Any) -> None:
    if why is Endpoint.ERASE:
        _delete()
        # What was begun meanwhile has still seen the events. A process that counts finds its run gone.
        transaction.on_commit(_delete)


def _delete() -> None:
    ReportRun.objects.all().delete()
