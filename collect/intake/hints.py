"""Names that are nearly those of the contract: an event with one of them is accepted, and its sender is told.

These are the only rules of what a name looks like. Such a key stays in `extra` (contract, section 1).
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import NamedTuple

import msgspec
from msgspec import Raw

from collect.intake.contract import RULES, SentEvent
from keys import directory
from runtime import metrics

# Of one event so many keys are looked at, and so many hints given. Longer names do not look like ours.
_MAX_KEYS = 200
_MAX_HINTS = 8
_MAX_NAME = 40

# What the server takes from the request, whatever an event says.
ADDRESS = "ip_address"
# Other usual names of our fields, without case and separators.
_OTHER_NAMES = {
    "event_name": ("event", "name", "eventtype"),
    "event_id": ("id", "uuid", "messageid", "insertid", "idempotencykey", "dedupid"),
    "timestamp": ("ts", "time", "datetime", "eventtime", "eventtimestamp", "occurredat"),
    "page_url": ("url", "pagelocation", "eventsourceurl"),
    "referrer": ("referer", "referrerurl", "pagereferrer"),
    "user_agent": ("ua", "clientuseragent", "httpuseragent"),
    "session_id": ("session",),
    "client_id": ("cid", "anonymousid", "visitorid"),
    "tag_id": ("tag",),
    "attribution_type": ("attribution",),
    "params": ("param", "parameters", "properties", "props", "eventparams", "eventproperties", "customdata"),
    ADDRESS: ("ip", "clientip", "clientipaddress", "remoteaddr"),
}
_SEPARATORS = str.maketrans("", "", "_-. $")
_MEANT = {name.translate(_SEPARATORS): name for name in (*RULES, ADDRESS)} | {
    other: name for name, others in _OTHER_NAMES.items() for other in others
}
_keys = msgspec.json.Decoder(dict[str, Raw]).decode


class Hint(NamedTuple):
    """A key as it was sent, and the field that its sender seems to have meant."""

    sent: str
    field: str

    def __str__(self) -> str:
        """The hint in words. It is ASCII, without line breaks: a key with other characters gets no hint."""
        if self.field == ADDRESS:
            return f"{self.sent} is not read: the address is that of the request"
        return f"{self.sent} looks like {self.field}"


def of(sent: SentEvent) -> list[Hint]:
    """Return the hints to an event that was accepted. There are none to one that has only keys of the contract."""
    return among(_keys(sent.extra), lambda field: getattr(sent, field, None)) if sent.extra else []


def among(names: Iterable[str], is_given: Callable[[str], object]) -> list[Hint]:
    """Return a hint for each of the names that looks like a field, where that field itself is not given."""
    found = [Hint(name, field) for name in islice(names, _MAX_KEYS) if (field := _meant(name))]
    return [hint for hint in found if not is_given(hint.field)][:_MAX_HINTS]


def _meant(name: str) -> str | None:
    """Return the field that a name looks like. Only ASCII looks like ours: what is told stands in a header."""
    if len(name) > _MAX_NAME or not name.isascii():
        return None
    return _MEANT.get(name.translate(_SEPARATORS).lower())


def header(hints: Iterable[Hint]) -> str:
    """Return the value of `X-Event-Hint`."""
    return "; ".join(map(str, hints))


def count(hints: Mapping[Hint, int], partner_id: int) -> None:
    """Count how many events had each hint, by the field that was meant: there are few of these."""
    for hint, events in hints.items():
        metrics.HINTS.labels(hint.field, directory.partner_name(partner_id)).inc(events)
