"""Old events and rejections, and what is left of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from collect.backfills.run import Run
from collect.models import Event, Rejection
from collect.storage import ingest
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.harness import factories

OLD = timedelta(days=500)


YEAR_AGO = timedelta(days=365)


def events(api_key: ApiKey, *ids: str, age: timedelta = timedelta(0), **fields: Any) -> None:
    source = factories.source(api_key, received_at=datetime.now(UTC) - age)
    ingest.write([factories.arrival(source, event_id=id, **fields) for id in ids])


def refuse(api_key: ApiKey, body: bytes, age: timedelta = timedelta(0), **fields: Any) -> Rejection:
    """A rejection of these bytes, as the endpoint keeps it."""
    source = factories.source(api_key, received_at=datetime.now(UTC) - age, **fields)
    refusal = Refusal(Code.INVALID_EVENT, "event_name: required", errors={"event_name": ["required"]})
    factories.reject(refusal, source, body, request_id="request-1")
    return Rejection.objects.latest("pk")


def left() -> list[str]:
    return sorted(map(str, Event.objects.values_list("event_id", flat=True)))


def kept(run: Run) -> dict[str, int]:
    return dict(+run.counts)
