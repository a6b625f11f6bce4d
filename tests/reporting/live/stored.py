"""Events and rejections of a moment, in the database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from collect.models import Event, Rejection
from collect.storage import store
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.e2e.live.watcher import Key
from tests.harness import factories

NOW = datetime(2026, 11, 26, 14, 2, 10, 500_000, tzinfo=UTC)


def events(key: ApiKey, *ages: float, **fields: Any) -> list[str]:
    """Store an event for each of these ages, in seconds; their ids."""
    sources = [factories.source(key, received_at=NOW - timedelta(seconds=age)) for age in ages]
    return [one.id for one in store.write([factories.arrival(source, **fields) for source in sources])]


def rejection(key: ApiKey, age: float, code: Code = Code.INVALID_EVENT) -> str:
    """Keep a rejection of this age; its id."""
    source = factories.source(key, received_at=NOW - timedelta(seconds=age))
    factories.reject(Refusal(code, "event_name: required"), source, b"{}")
    return str(Rejection.objects.latest("pk").pk)


def table() -> set[Key]:
    """All that there is."""
    stored = {("event", str(pk)) for pk in Event.objects.values_list("pk", flat=True)}
    return stored | {("rejection", str(pk)) for pk in Rejection.objects.values_list("pk", flat=True)}
