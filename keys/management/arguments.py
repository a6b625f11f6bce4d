"""The arguments that the key commands share: which key is meant, and how long a time is."""

import argparse
import re
from datetime import timedelta

from django.core.management.base import CommandError

from keys import crypto
from keys.models import ApiKey

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def find_key(text: str) -> ApiKey:
    """Return the key with this prefix or raw key.

    Raises CommandError where there is none; the message does not repeat the text, which may be a raw key.
    """
    try:
        return ApiKey.objects.select_related("partner").get(prefix=crypto.parse(text) or text)
    except ApiKey.DoesNotExist:
        raise CommandError("There is no key with this prefix; list_keys shows them all.") from None


def duration(text: str) -> timedelta:
    """Return the time that `30m`, `24h`, `7d`, `0` or `now` means. Raises ArgumentTypeError for any other text."""
    if text in ("0", "now"):
        return timedelta(0)
    match = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 30m, 24h, 7d or 0")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
