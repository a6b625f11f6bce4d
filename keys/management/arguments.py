"""What the commands of keys have in common: which key is meant, and how long a time is."""

import argparse
import re
from datetime import timedelta

from django.core.management.base import CommandError

from keys import crypto
from keys.models import ApiKey

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def find_key(text: str) -> ApiKey:
    """The key with this prefix, or with this raw key, which is never repeated. Raises CommandError."""
    try:
        return ApiKey.objects.select_related("partner").get(prefix=crypto.parse(text) or text)
    except ApiKey.DoesNotExist:
        raise CommandError("There is no key with this prefix; list_keys shows them all.") from None


def duration(text: str) -> timedelta:
    """`30m`, `24h`, `7d` or `0` as a time. Raises ArgumentTypeError."""
    if text in ("0", "now"):
        return timedelta(0)
    match = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 30m, 24h, 7d or 0")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
