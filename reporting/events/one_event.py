"""All that is known of one event: as it was sent, its rejections, and what else came of its session and client."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from msgspec import Raw

from collect.models import Event, Rejection
from collect.storage.repetition import JSON_COLUMNS
from reporting import search
from reporting.events import finding
from reporting.events.finding import Wanted
from reporting.search import FoundEvent

# Events before it and after it that have its session or client, and rejections that it met.
NEIGHBOURS, REJECTIONS = 10, 50
# What a sender may send, in the order of the contract; `tag_id` and `timestamp` only where they were sent.
_SENT = (
    "event_name", "event_id", "page_url", "referrer", "user_agent", "session_id", "client_id", "click_id",
    "impression_id", "bid_id", "attribution_type",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Texts:
    """The JSON columns as the exact text that the database has: decoded, 58.00 would become 58.0."""

    params: str
    consent: str | None
    extra: str


def texts_of(id: UUID) -> Texts:
    """Return the JSON columns of an event. Raises Event.DoesNotExist."""
    found = Event.objects.annotate(**{f"{name}_text": Cast(name, TextField()) for name in JSON_COLUMNS})
    row = found.values(*(f"{name}_text" for name in JSON_COLUMNS)).get(pk=id)
    return Texts(params=row["params_text"], consent=row["consent_text"], extra=row["extra_text"])


def as_sent(event: Event, texts: Texts) -> str:
    """Return the event as one object of JSON that would be stored as it was, in one line.

    The order of its keys is ours, and what the server added is not in it.
    """
    fields: dict[str, Any] = {name: value for name in _SENT if (value := getattr(event, name)) is not None}
    if event.tag_derived is None:
        fields["tag_id"] = event.tag_id
    if event.timestamp != event.received_at:
        fields["timestamp"] = event.timestamp.timestamp()
    # A number stays as it was written.
    fields |= msgspec.json.decode(texts.extra, type=dict[str, Raw])
    if texts.params != "{}":
        fields["params"] = Raw(texts.params.encode())
    if texts.consent is not None:
        fields["consent"] = Raw(texts.consent.encode())
    return msgspec.json.format(msgspec.json.encode(fields), indent=-1).decode()


def as_stored(event: Event, texts: Texts) -> dict[str, Any]:
    """Return all columns of the row, for JSON by msgspec; the partner and the key by what people call them."""
    columns = {field.attname: getattr(event, field.attname) for field in Event._meta.concrete_fields}
    columns |= {"partner": event.partner.name, "api_key": event.api_key and event.api_key.prefix}
    texts_by_name = {name: getattr(texts, name) for name in JSON_COLUMNS}
    columns |= {name: None if text is None else Raw(text.encode()) for name, text in texts_by_name.items()}
    del columns["partner_id"], columns["api_key_id"]
    return columns


def rejections_of(event: Event) -> list[Rejection]:
    """Return the rejections that met the event as a conflict or became it by a replay, newest first."""
    found = Rejection.objects.filter(Q(event=event.pk) | Q(replayed_as=event.pk)).defer("body")
    return list(found.select_related("partner", "api_key").order_by("-pk")[:REJECTIONS])


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Events of the same partner with the same session or client, oldest first, nearest to the event in the middle."""

    earlier: Sequence[FoundEvent]
    later: Sequence[FoundEvent]


def neighbours_of(event: Event) -> Neighbours:
    """Return the nearest events before and after it. What the search index does not have yet is not among them."""
    shared = [name for name in ("session_id", "client_id") if getattr(event, name)]
    earlier = _nearest(event, shared, {"before": event.pk})
    later = _nearest(event, shared, {"after": event.pk})
    return Neighbours(earlier[::-1], later)


def _nearest(event: Event, places: Sequence[str], side: dict[str, UUID]) -> list[FoundEvent]:
    found: dict[UUID, tuple[str, ...]] = {}
    for place in places:
        wanted = Wanted(getattr(event, place), (place,), event.partner_id, limit=NEIGHBOURS, **side)
        for hit in finding.find(wanted).hits:
            found[hit.id] = (*found.get(hit.id, ()), place)
    nearest = sorted(found, reverse="before" in side)[:NEIGHBOURS]
    return search.rows([finding.Hit(id, found[id]) for id in nearest])
