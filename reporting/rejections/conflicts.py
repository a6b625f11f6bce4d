"""A conflict: the stored event and the one that came under its event_id, leaf by leaf."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import TextField
from django.db.models.functions import Cast

from collect.intake import contract
from collect.intake.contract import SentEvent
from collect.models import Event, Rejection
from collect.storage.rejections import MAX_KEPT_BODY
from collect.storage.repetition import JSON_COLUMNS, TEXT_COLUMNS
from keys.models import ApiKey
from runtime.refusals import Refusal

# Leaves that are compared and those of them that are shown, where those that differ come before the others.
MAX_COMPARED, MAX_LEAVES = 100_000, 400
# Characters that are shown of a value, of its path, and of one name in that.
MAX_CHARACTERS, MAX_PATH, MAX_NAME = 2_000, 200, 80
ABSENT = "(not there)"
_IDS = ("tag_id", "event_id")
# The objects that every event has, however empty.
_OPEN = ("params", "extra")
_NOTHING = object()
_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value by its path in both events, as JSON."""

    path: str
    stored: str
    sent: str
    differs: bool


class _Pair(NamedTuple):
    """What both events have at one path."""

    path: _Path
    one: Any
    other: Any


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both events side by side: their keys, how long after the first the second came, and their values.

    `hidden` leaves are not among `leaves`, which are too many; of more than `MAX_COMPARED` only a part was compared.
    Without a reason why not in `unreadable` there are some.
    """

    stored_key: ApiKey | None
    sent_key: ApiKey
    gap: timedelta
    leaves: list[Leaf]
    hidden: int = 0
    is_part: bool = False
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
    leaves, hidden, is_part = _compared(_stored(stored), _sent(sent, is_test=rejection.api_key.is_test))
    return Conflict(stored.api_key, rejection.api_key, gap, leaves, hidden=hidden, is_part=is_part)


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


def _compared(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> tuple[list[Leaf], int, bool]:
    """Return the leaves that are shown, how many of those compared are not, and whether some were not compared."""
    pairs = _pairs(_told(stored), _told(sent))
    kept: dict[bool, list[tuple[int, _Pair]]] = {True: [], False: []}
    count = 0
    for count, pair in enumerate(islice(pairs, MAX_COMPARED), 1):
        of_kind = kept[not _is_same(pair.one, pair.other)]
        if len(of_kind) < MAX_LEAVES:
            of_kind.append((count, pair))
    ordered = [*kept[True], *kept[False]] if count > MAX_LEAVES else sorted(kept[True] + kept[False], key=itemgetter(0))
    shown = [_leaf(pair) for _, pair in ordered[:MAX_LEAVES]]
    return shown, count - len(shown), next(pairs, None) is not None


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without what was not sent, which has no leaf, nor has an empty object in its place."""
    return {name: value for name, value in fields.items() if value or (value is not None and name not in _OPEN)}


def _pairs(one: Any, other: Any, path: _Path = ()) -> Iterator[_Pair]:
    """Yield what holds no other value, of both sides, by its path. Where a side has nothing there it is `_NOTHING`."""
    first, second = _inner(one), _inner(other)
    leaf = _Pair(path, _NOTHING if first else one, _NOTHING if second else other)
    if path and not (leaf.one is _NOTHING and leaf.other is _NOTHING):
        yield leaf
    for name in dict.fromkeys([*first, *second]):
        yield from _pairs(first.get(name, _NOTHING), second.get(name, _NOTHING), (*path, name))


def _inner(value: Any) -> Mapping[str | int, Any]:
    if isinstance(value, dict):
        return value
    return dict(enumerate(value)) if isinstance(value, list) else {}


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _leaf(pair: _Pair) -> Leaf:
    differs = not _is_same(pair.one, pair.other)
    return Leaf(_spelled(pair.path), _shown(pair.one), _shown(pair.other), differs=differs)


def _spelled(path: _Path) -> str:
    """Return the path as text, of a long one the beginning and the end. What is in `extra` stood beside the others."""
    parts = path[1:] if path[0] == "extra" else path
    names = [f"[{part}]" if isinstance(part, int) else f".{_cut(part, MAX_NAME)}" for part in parts]
    text = "".join(names).removeprefix(".")
    return text if len(text) <= MAX_PATH else f"{text[: MAX_PATH // 2]}…{text[-MAX_PATH // 2 :]}"


def _shown(value: Any) -> str:
    if value is _NOTHING:
        return ABSENT
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
    return _cut(text, MAX_CHARACTERS)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"
