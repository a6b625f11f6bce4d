"""Describes this machine to the others and to the console: that it is there, and what waits in its spool."""

import socket
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import Error

from collect.enrichment import geo
from collect.models import Machine
from collect.storage import spool
from collect.storage.spool import SpoolStatus

_KEPT = timedelta(days=30)


def name() -> str:
    """Return the name under which this machine reports."""
    return socket.gethostname()[:255]


def stop(now: datetime) -> None:
    """Say that a process of the machine has ended in order. Raises `django.db.Error`."""
    Machine.objects.filter(name=name()).update(stopped_at=now)


def report(now: datetime) -> None:
    """Write the machine's row. Raises `django.db.Error`."""
    waiting: SpoolStatus | None = None
    if spool.is_enabled():
        with suppress(Error):
            waiting = spool.status()
    place = geo.status()
    row = Machine(
        name=name(),
        reported_at=now,
        spool_events=waiting and waiting.events,
        spool_oldest=waiting and waiting.oldest,
        spool_set_aside=waiting and waiting.set_aside,
        geo_state=place.state,
        geo_built_at=place.built_at,
    )
    # Those that are gone for good, such as containers, whose names do not come again.
    Machine.objects.filter(reported_at__lt=now - _KEPT).delete()
    told = [field.name for field in Machine._meta.fields if field.name not in ("id", "name")]
    Machine.objects.bulk_create([row], update_conflicts=True, unique_fields=["name"], update_fields=told)
