"""Reads keys from the database, each with its partner."""

from collections.abc import Collection

from keys.models import ApiKey


def load(prefixes: Collection[str]) -> dict[str, ApiKey]:
    """Return the keys with these prefixes, by prefix, read in one statement.

    Raises `django.db.Error` where the database fails.
    """
    rows = ApiKey.objects.select_related("partner").filter(prefix__in=prefixes)
    return {key.prefix: key for key in rows}


def load_likely(limit: int) -> list[ApiKey]:
    """Return up to `limit` active keys, those used last first, then the newest, read in one statement.

    Raises `django.db.Error` where the database fails.
    """
    return list(ApiKey.objects.select_related("partner").last_used(limit))
