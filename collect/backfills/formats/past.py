"""A historical event in a file: the contract of a sent event, and when and from where it came."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from msgspec import Raw

from collect.intake import contract
from collect.intake.contract import NO_YEAR, SentEvent
from runtime import addresses


class PastEvent(SentEvent, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A historical event, which may say when and from where it came.

    `received_at` is sent in Unix seconds, like `timestamp`, or as a moment of RFC 3339. Once the event is checked,
    `received_at` is a datetime and `ip_address` is in the form in which it is stored.
    """

    received_at: Any = None
    ip_address: str | None = None


def _past_moment(sent: Any) -> datetime:
    if isinstance(sent, str):
        return past(spelled(sent))
    try:
        if isinstance(sent, int | float) and not isinstance(sent, bool):
            return past(contract.moment(sent))
    except (OverflowError, OSError):
        pass
    raise ValueError(_NO_MOMENT)


def spelled(text: str, zone: tzinfo | None = None) -> datetime:
    """Return the moment that a text names as programs, databases and spreadsheets do; without a zone it is in `zone`.

    Raises ValueError if it names none.
    """
    text = _ZONE_NAME.sub("", text.strip())
    try:
        if not _DATE.match(text):
            raise ValueError
        found = datetime.fromisoformat(_BLANK.sub("", _UTC.sub("Z", text)).upper())
    except ValueError:
        raise ValueError(_NO_MOMENT) from None
    if found.tzinfo is None and zone is None:
        raise ValueError("has no zone: write Z or +01:00 behind it")
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


_DATE, _UTC = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"\s*(?:UTC|GMT)\Z", re.IGNORECASE)
# Before an offset, as Ruby writes it.
_BLANK = re.compile(r"\s+(?=[+-][\d:]+\Z)")
# Java's ZonedDateTime has it behind the offset.
_ZONE_NAME = re.compile(r"\[[\w/+-]+\]\Z")


def past(moment: datetime) -> datetime:
    """Return the moment of a receipt in UTC. Raises ValueError before 1970 and more than a day ahead."""
    moment = utc(moment)
    if moment > datetime.now(UTC) + _AHEAD:
        raise ValueError("must not lie in the future")
    return moment


def utc(moment: datetime) -> datetime:
    """Return a moment of any zone in UTC. Raises ValueError outside 1970..9999."""
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(NO_YEAR) from None
    if moment < _EPOCH:
        raise ValueError(NO_YEAR)
    return moment


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Clocks differ, but an event further ahead would come first in every list and never grow old.
_AHEAD = timedelta(days=1)


def _address(text: str) -> str | None:
    address = addresses.normalise(text)
    if address is None and text.strip():
        raise ValueError("must be an IP address")
    return address


_NO_MOMENT = "must be Unix seconds or a moment such as 2026-05-26T16:00:00Z"


def decode(body: bytes) -> PastEvent:
    """Return the event in `body`. Raises `Refusal` as `contract.decode` does."""
    return contract.decode_as(body, _PAST)


def _settle(event: PastEvent) -> bool:
    if not contract.settle(event):
        return False
    try:
        if event.received_at is not None:
            event.received_at = _past_moment(event.received_at)
        if event.ip_address is not None:
            event.ip_address = _address(event.ip_address)
    except ValueError:
        return False
    return True


def _received_at(raw: Raw) -> datetime:
    return _past_moment(contract.read_value(raw))


def _ip_address(raw: Raw) -> str | None:
    return _address(contract.string()(raw))


_PAST = contract.Form(PastEvent, {**contract.RULES, "received_at": _received_at, "ip_address": _ip_address}, _settle)
