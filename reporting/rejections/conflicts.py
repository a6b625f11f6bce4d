"""A conflict: the stored event and the one that came under its event_id, leaf by leaf."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Cast

from collect.intake import contract
from collect.intake.contract import SentEvent
from collect.models import Event, Rejection
from collect.storage.rejections import MAX_KEPT_BODY
from collect.storage.repetition import JSON_COLUMNS, TEXT_COLUMNS
from keys.models import ApiKey
from runtime.refusals import Refusal

# Leaves that are shown, those that differ before the others, and characters of one.
MAX_LEAVES, MAX_CHARACTERS = 400, 2_000
ABSENT = "(not there)"
_IDS = ("tag_id", "event_id")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value by its path in both events, as JSON."""

    path: str
    stored: str
    sent: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both events side by side: their keys, how long after the first the second came, and their values.

    `hidden` leaves are not among `leaves`, which are too many. Without a reason why not in `unreadable` there are some.
    """

    stored_key: ApiKey | None
    sent_key: ApiKey
    gap: timedelta
    leaves: list[Leaf]
    hidden: int = 0
    unreadable: str = ""


def conflict_of(rejection: Rejection) -> Conflict | None:
    """Return the conflict that the rejection is a record of; None if it is of none, or the stored event is gone."""
    if rejection.event is None:
        return None
    texts = {f"{name}_text": Cast(name, TextField()) for name in JSON_COLUMNS}
    stored = Event.objects.select_related("api_key").annotate(**texts).filter(pk=rejection.event).first()
    if stored is None:
        return None
    gap = rejection.received_at - stored.received_at
    if rejection.body_size > MAX_KEPT_BODY:
        return Conflict(stored.api_key, rejection.api_key, gap, [], unreadable="The second was kept in part only.")
    try:
        sent = contract.decode(bytes(rejection.body))
    except Refusal as refusal:
        return Conflict(stored.api_key, rejection.api_key, gap, [], unreadable=f"The second is refused: {refusal}")
    leaves = _compared(_stored(stored), _sent(sent, is_test=rejection.api_key.is_test))
    # Sorting keeps the order of those that differ, and of the others.
    shown = leaves if len(leaves) <= MAX_LEAVES else sorted(leaves, key=lambda leaf: not leaf.differs)[:MAX_LEAVES]
    return Conflict(stored.api_key, rejection.api_key, gap, shown, hidden=len(leaves) - len(shown))


def _stored(event: Event) -> dict[str, Any]:
    """Return what the sender of the stored event had sent, as far as the server keeps it apart."""
    fields: dict[str, Any] = {"event_id": event.event_id, "tag_id": None if event.tag_derived else event.tag_id}
    fields |= {name: getattr(event, name) for name in TEXT_COLUMNS}
    fields["timestamp"] = _moment(None if event.timestamp == event.received_at else event.timestamp)
    return fields | {name: _read(getattr(event, f"{name}_text")) for name in JSON_COLUMNS}


def _sent(event: SentEvent, *, is_test: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(event, name, None) for name in (*_IDS, *TEXT_COLUMNS)}
    fields |= {"is_test": is_test, "timestamp": _moment(event.sent_at)}
    return fields | {name: _read(bytes(getattr(event, name) or b"").decode()) for name in JSON_COLUMNS}


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _read(text: str | None) -> Any:
    return json.loads(text, parse_int=Decimal, parse_float=Decimal) if text else None


def _compared(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> list[Leaf]:
    one, other = dict(_leaves(stored)), dict(_leaves(sent))
    paths = dict.fromkeys([*one, *other])
    return [Leaf(path, _shown(one, path), _shown(other, path), differs=not _same(one, other, path)) for path in paths]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that holds no other with its path. Nothing that was not sent has one, nor an empty object."""
    if isinstance(value, dict | list) and value:
        parts = value.items() if isinstance(value, dict) else ((f"[{n}]", one) for n, one in enumerate(value))
        for name, inner in parts:
            below = name if not path or (name.startswith("[") and isinstance(value, list)) else f".{name}"
            yield from _leaves(inner, f"{path}{below}")
    elif path and not (value is None and "." not in path and "[" not in path) and path not in ("params", "extra"):
        yield path.removeprefix("extra."), value


def _same(one: Mapping[str, Any], other: Mapping[str, Any], path: str) -> bool:
    if path not in one or path not in other:
        return False
    first, second = one[path], other[path]
    return type(first) is type(second) and bool(first == second)


def _shown(leaves: Mapping[str, Any], path: str) -> str:
    if path not in leaves:
        return ABSENT
    value = leaves[path]
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… ({len(text)} characters)"
