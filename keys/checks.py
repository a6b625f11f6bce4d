"""System checks that report unusable settings of this app before the server starts."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from runtime.environment import TAG


@register(TAG)
def cache_url(**_: Any) -> Sequence[CheckMessage]:
    """Return keys.E001 if CACHE_URL is neither empty nor the URL of a Redis. No connection is made."""
    if not settings.CACHE_URL or _is_usable(settings.CACHE_URL):
        return []
    # What is wrong is not shown: it may be a part of the password.
    return [
        Error(
            "CACHE_URL cannot be used",
            hint="Write redis://:PASSWORD@HOST:6379/0, or rediss://… with TLS, or leave it empty. In a password write "
            "%40 for an @, and likewise for : / ? #.",
            id="keys.E001",
        )
    ]


def _is_usable(url: str) -> bool:
    """Tell whether a connection could be made of it: a wrong option is met only then."""
    try:
        redis.ConnectionPool.from_url(url).make_connection()
    except (ValueError, TypeError, redis.RedisError):
        return False
    # A path that is no number of a database is passed over without a word, and so is all behind a #.
    parts = urlsplit(url)
    is_number = parts.scheme == "unix" or not parts.path.strip("/") or parts.path.strip("/").isdecimal()
    return is_number and "#" not in url
