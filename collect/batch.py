"""Many events in one body: opens the envelope, and then judges each event alone (contract, section 5)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec
from msgspec import Raw

from collect import assembly
from collect.intake import causes, contract, hints, json_rules
from collect.intake.contract import SentEvent
from collect.intake.hints import Hint
from collect.intake.json_rules import invalid
from collect.intake.pieces import member, pieces
from collect.intake.source import Source
from collect.storage.ledger.tally import Tally
from collect.storage.outcomes import DURABLE, Outcome, Written
from collect.storage.rows import Arrival
from runtime.hub import taking_turns
from runtime.refusals import Code, Refusal, Unavailable

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_EVENTS = 2_000
# Events between two looks at the clock. Most take some microseconds; a hostile one takes a thousand times as much.
STEP = 10
# Bytes that are looked through in one piece: it takes a millisecond or two.
_LOOKED_THROUGH = 1024 * 1024
# Hints that are told, each for all the events that have it.
_MAX_HINTS = 100
NDJSON = "application/x-ndjson"

_array = msgspec.json.Decoder(list[Raw])
_envelope = msgspec.json.Decoder(dict[str, Raw])


def split(body: bytes, media_type: str) -> list[bytes]:
    """Return the events in `body`, each still undecoded: from `{"events": [...]}`, a bare array, or lines of NDJSON.

    Raises `Refusal`: `invalid_json` or `invalid_event` if the envelope cannot be read, `too_large` for more than
    2,000 events. Keys beside `events` are ignored. A fault inside one event is not the envelope's.
    """
    try:
        events = _lines(body) if media_type == NDJSON else _items(body)
    except Refusal as refusal:
        raise causes.of_envelope(refusal, body) from None
    if len(events) > MAX_EVENTS:
        raise Refusal(Code.TOO_LARGE, f"A batch may have {MAX_EVENTS} events at most")
    # Copied only now: a body may hold millions of items.
    return [bytes(event) for event in events]


def _lines(body: bytes) -> Sequence[bytes]:
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not lines:
        raise invalid("There is no line with an event")
    return lines


def _items(body: bytes) -> Sequence[Raw | bytes]:
    try:
        if body.lstrip()[:1] == b"[":
            return _array.decode(body)
        events = _envelope.decode(body).get("events", Raw(b"null"))
        if bytes(events)[:1] != b"[":
            raise contract.invalid_event({"events": ["must be an array of events"]})
        return _array.decode(events)
    except msgspec.ValidationError:
        raise Refusal(Code.INVALID_EVENT, "The body must be an array or an object with events") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            return _items_one_by_one(body.strip())
        except ValueError:
            raise invalid(contract.syntax(error)) from None


def _items_one_by_one(body: bytes) -> list[bytes]:
    """Return the events of a body that no decoder takes as a whole: the fault may be in one of them alone.

    Raises ValueError if it is in the envelope. The first events suffice to see that they are too many.
    """
    array = member(body, b"events") if body[:1] == b"{" else body
    if array is None or (array := array.strip())[:1] != b"[":
        raise ValueError("no array of events")
    items = [item.strip() for item in islice(pieces(array), MAX_EVENTS + 1)]
    if b"" in items and items != [b""]:
        raise ValueError("a comma too many")
    return [item for item in items if item]


@dataclass(slots=True)
class Hinted:
    """How many events of a batch had a hint, and the index of the first of them."""

    index: int
    events: int = 0


@dataclass(slots=True)
class JudgedBatch:
    """The events of a batch: those to be stored, and the refusals of the others, each with its index."""

    arrivals: list[Arrival] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    refusals: list[tuple[int, bytes, Refusal]] = field(default_factory=list)
    hints: dict[Hint, Hinted] = field(default_factory=dict)

    def add_hints(self, index: int, sent: SentEvent) -> None:
        """Note the hints to the event at `index`."""
        for hint in hints.of(sent):
            if hint in self.hints or len(self.hints) < _MAX_HINTS:
                self.hints.setdefault(hint, Hinted(index)).events += 1


def judge(events: Sequence[bytes], source: Source, request_id: str, tally: Tally) -> JudgedBatch:
    """Decode and enrich each event alone, or refuse it. `tally` is what they are counted by."""
    judged = JudgedBatch()
    is_clean = sum(map(len, events)) <= _LOOKED_THROUGH and json_rules.is_clean(b"\n".join(events))
    for index, body in taking_turns(enumerate(events), STEP):
        try:
            if len(body) > contract.MAX_BODY_BYTES:
                raise Refusal(Code.TOO_LARGE, f"An event may have {contract.MAX_BODY_BYTES} bytes at most")
            sent = contract.decode(body, is_clean=is_clean)
            row = assembly.build(sent, source)
        except Refusal as refusal:
            judged.refusals.append((index, body, causes.of_event(refusal, body)))
        else:
            judged.arrivals.append(Arrival.of(row, body, request_id, tally, meta=source.meta))
            judged.indexes.append(index)
            if sent.extra:
                judged.add_hints(index, sent)
    return judged


def answer(judged: JudgedBatch, results: Sequence[Written]) -> dict[str, Any]:
    """Return the body of the 200: four counts and the refused events, which add up to the number of events sent.

    Hints are there only where there are any.
    """
    counts = Counter(result.outcome for result in results)
    rejected = [(index, refusal) for index, _, refusal in judged.refusals]
    rejected += [
        (index, contract.poisoned() if result.outcome is Outcome.REJECTED else Unavailable())
        for index, result in zip(judged.indexes, results, strict=True)
        if result.outcome not in DURABLE
    ]
    return {
        "stored": counts[Outcome.STORED],
        "duplicates": counts[Outcome.DUPLICATE],
        "conflicts": counts[Outcome.CONFLICT],
        "spooled": counts[Outcome.SPOOLED],
        "rejected": [_rejected(index, refusal) for index, refusal in sorted(rejected, key=lambda pair: pair[0])],
        **({"hints": [_hinted(hint, told) for hint, told in judged.hints.items()]} if judged.hints else {}),
    }


def _rejected(index: int, refusal: Refusal) -> dict[str, Any]:
    errors = {"errors": refusal.errors} if refusal.errors else {}
    return {"index": index, "code": refusal.code.value, "detail": refusal.detail, **errors}


def _hinted(hint: Hint, told: Hinted) -> dict[str, Any]:
    return {"field": hint.sent, "detail": str(hint), "index": told.index, "events": told.events}
