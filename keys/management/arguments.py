"""The arguments that the key commands share: which key is meant, and how long a time is."""

import argparse
import re
from collections.abc import Callable
from datetime import timedelta

from django.core.management.base import CommandError

from keys import crypto
from keys.models import ApiKey

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def find_key(text: str, warn: Callable[[str], object]) -> ApiKey:
    """Return the key with this prefix, or the one that a whole key in the text belongs to, even a damaged one.

    `warn` is told what to do about a whole key. Raises CommandError where there is no such key. Neither repeats more
    of the text than the prefix of a key.
    """
    whole = crypto.SECRET.search(text)
    prefix = whole[1] if whole else text.strip()
    if whole:
        warn(
            f"You gave a whole key; {prefix} is enough. The whole one is now in the history of this shell, and others "
            "on this machine could see it: rotate or revoke it."
        )
    keys = ApiKey.objects.select_related("partner")
    key = keys.filter(prefix=prefix).first() if crypto.PREFIX.match(prefix) else None
    if key is None:
        named = f"There is no key {prefix} here" if whole else "There is no key with this prefix"
        raise CommandError(f"{named}; list_keys shows them all.")
    return key


def duration(text: str) -> timedelta:
    """Return the time that `30m`, `24h`, `7d`, `0` or `now` means. Raises ArgumentTypeError for any other text."""
    if text in ("0", "now"):
        return timedelta(0)
    match = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 30m, 24h, 7d or 0")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
