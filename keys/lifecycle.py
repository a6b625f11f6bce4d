"""How a key comes into being, changes and ends; the console and the commands both go through here.

Each change and its line of history are one transaction.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from keys import crypto, directory
from keys.history import Actor, record, record_each
from keys.models import ApiKey, KeyChange, Partner
from runtime.display import second

# What an edit is called in the history, by the field that differs.
_EDITS = {
    KeyChange.What.CHANGED: ("label", "expires_at"),
    KeyChange.What.RESTRICTED: ("tags", "networks", "per_second", "per_day"),
}


# How many keys one statement ends; databases bound the values that a statement may have.
_STEP = 500

# The most requests of a key that are kept at a time, and for how long they are waited for.
MAX_CAPTURED, CAPTURE_TIME = 100, timedelta(minutes=10)

# What a key takes over from the one in whose place it is issued.
_INHERITED = ("partner", "label", "tags", "networks", "per_second", "per_day")


class Ended(ValueError):  # noqa: N818  # said to people as it is
    """The key has been revoked or has expired; it cannot be changed any more."""


@transaction.atomic
def issue(key: ApiKey, by: Actor) -> str:
    """Give the unsaved `key` (partner, label and so on are set) its secret and save it.

    Returns the raw key, which from then on exists nowhere but with the caller.
    Raises ValueError for a key that exists: a second secret would end the first one unseen.
    """
    if key.pk is not None:
        raise ValueError("this key has been issued")
    raw_key = crypto.make(is_test=key.is_test)
    key.prefix, key.digest = crypto.prefix_of(raw_key), crypto.digest(raw_key)
    key.created_by = by.user
    key.save()
    record(key, KeyChange.What.ISSUED, by, f"in place of {key.replaces.prefix}" if key.replaces else "")
    return raw_key


@transaction.atomic
def rotate(key: ApiKey, by: Actor, until: datetime) -> tuple[ApiKey, str]:
    """Issue a key that takes the place of `key`, which keeps working until `until`, or its own earlier expiry.

    The new key is for the same partner, with the same label, kind, restrictions and limits, and does not expire.
    Returns it and its raw key. Raises `Ended` for a key that does not work any more.
    """
    key = ApiKey.objects.select_for_update().get(pk=key.pk)
    if not key.is_active():
        raise Ended(f"{key.prefix} is {key.state}: issue a new key instead")
    new = ApiKey(is_test=key.is_test, replaces=key, **{name: getattr(key, name) for name in _INHERITED})
    raw_key = issue(new, by)
    key.expires_at = until if key.expires_at is None else min(until, key.expires_at)
    key.save(update_fields=["expires_at"])
    record(key, KeyChange.What.ROTATED, by, f"replaced by {new.prefix}, works until {second(key.expires_at)} UTC")
    directory.forget(key.prefix)
    return new, raw_key


@transaction.atomic
def change(key: ApiKey, by: Actor) -> None:
    """Save what was edited of `key`, with a line of history for what is now different."""
    before = ApiKey.objects.select_for_update().get(pk=key.pk)
    key.save()
    for what, names in _EDITS.items():
        if told := _differences(before, key, names):
            record(key, what, by, told)
    directory.forget(key.prefix)


def extend(key: ApiKey, by: Actor, by_how_much: timedelta) -> None:
    """Let a rotated key work for longer, from now. Raises `Ended` for a key that does not work any more."""
    key.refresh_from_db()
    if not key.is_active():
        raise Ended(f"{key.prefix} is {key.state} and cannot be brought back")
    key.expires_at = timezone.now() + by_how_much
    change(key, by)


def revoke(key: ApiKey, by: Actor) -> bool:
    """End `key` for good; False where it had been revoked before, and then who and when stay as they were."""
    ended = revoke_all([key.pk], by)
    key.refresh_from_db(fields=["revoked_at", "revoked_by"])
    return bool(ended)


def revoke_all(keys: Sequence[int], by: Actor) -> list[ApiKey]:
    """End the keys with these ids for good, all or none. Return those that had not been revoked before.

    This process refuses them at once, the others when they next look (see `directory`).
    """
    ended: list[ApiKey] = []
    with transaction.atomic():
        for start in range(0, len(keys), _STEP):
            ended += _revoke(keys[start : start + _STEP], by)
    for key in ended:
        directory.forget(key.prefix)
    return ended


def _revoke(keys: Sequence[int], by: Actor) -> list[ApiKey]:
    # Locked, and in one order, so that of two people who revoke at the same moment one is recorded for each key.
    current = ApiKey.objects.select_for_update().filter(pk__in=keys, revoked_at=None).order_by("pk")
    ended = list(current)
    ApiKey.objects.filter(pk__in=[key.pk for key in ended]).update(revoked_at=timezone.now(), revoked_by=by.user)
    record_each(ended, KeyChange.What.REVOKED, by)
    return ended


@transaction.atomic
def capture(key: ApiKey, by: Actor, requests: int) -> None:
    """Have the next requests of `key` kept as they come, for `CAPTURE_TIME` at the longest. Servers follow within 5 s.

    It takes the place of an earlier order. Raises ValueError where `requests` is not in 1..`MAX_CAPTURED`.
    """
    if not 1 <= requests <= MAX_CAPTURED:
        raise ValueError(f"the number of requests to capture is 1 to {MAX_CAPTURED}")
    key.capture_left, key.capture_until = requests, timezone.now() + CAPTURE_TIME
    key.save(update_fields=["capture_left", "capture_until"])
    record(key, KeyChange.What.CAPTURE, by, f"the next {requests} requests, until {second(key.capture_until)} UTC")
    directory.forget(key.prefix)


@transaction.atomic
def stop_capture(keys: Sequence[int], by: Actor) -> list[ApiKey]:
    """Keep no further request of the keys with these ids, not even one that is being served. Return those concerned."""
    # Whoever writes a capture locks its key too, so that none is written once this is committed.
    current = ApiKey.objects.select_for_update().filter(pk__in=keys, capture_left__gt=0).order_by("pk")
    stopped = list(current)
    ApiKey.objects.filter(pk__in=[key.pk for key in stopped]).update(capture_left=0)
    for key in stopped:
        record(key, KeyChange.What.CAPTURE, by, f"stopped; {key.capture_left} of the requests had not come")
        directory.forget(key.prefix)
    return stopped


def _differences(before: ApiKey, after: ApiKey, names: Sequence[str]) -> str:
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in names]
    return "; ".join(f"{name}: {_text(old)} → {_text(new)}" for name, old, new in pairs if old != new)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{second(value)} UTC"
    if isinstance(value, list):
        return ", ".join(value) or "any"
    return "none" if value is None else str(value)


ANOTHERS = "belongs to another partner"


def remember(partner: Partner, prefix: str, by: Actor) -> ApiKey:
    """Return the key with this prefix, for events of another database. If there is none, make one that opens no door.

    The new one has no secret and is revoked. Raises ValueError where the prefix is another partner's.
    """
    key, is_new = ApiKey.objects.get_or_create(
        prefix=prefix,
        defaults={
            "partner": partner,
            "label": "imported with its events",
            "is_test": prefix.startswith(crypto.TEST),
            "revoked_at": timezone.now(),
        },
    )
    if key.partner_id != partner.pk:
        raise ValueError(ANOTHERS)
    if is_new:
        record(key, KeyChange.What.REVOKED, by, "known only by imported events")
    return key
