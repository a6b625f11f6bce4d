"""System checks that report unusable settings of this app before the server starts."""

from collections.abc import Sequence
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def cache_url(**_: Any) -> Sequence[CheckMessage]:
    """Return keys.E001 if CACHE_URL is neither empty nor the URL of a Redis. No connection is made."""
    if not settings.CACHE_URL:
        return []
    try:
        redis.ConnectionPool.from_url(settings.CACHE_URL)
    except ValueError as error:
        return [
            Error(
                f"CACHE_URL cannot be used: {error}",
                hint="Write redis://HOST:6379/0, or rediss://… with TLS, or leave it empty.",
                id="keys.E001",
            )
        ]
    return []
