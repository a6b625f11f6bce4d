"""Partners and keys with defaults, as plain functions."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from keys import crypto, lifecycle
from keys.history import Actor
from keys.models import ApiKey, Partner

ACTOR = Actor("tests")


def partner(name: str = "Acme") -> Partner:
    """The partner of this name, made where there is none."""
    return Partner.objects.get_or_create(name=name)[0]


def issue(**fields: Any) -> tuple[ApiKey, str]:
    """A key and its raw key."""
    key = ApiKey(**{"label": "backend", "partner": fields.pop("partner", None) or partner(), **fields})
    return key, lifecycle.issue(key, ACTOR)


def expired(**fields: Any) -> tuple[ApiKey, str]:
    """A key whose time ran out a second ago."""
    return issue(expires_at=timezone.now() - timedelta(seconds=1), **fields)


def revoked(**fields: Any) -> tuple[ApiKey, str]:
    """A key that has been revoked."""
    key, raw_key = issue(**fields)
    lifecycle.revoke(key, ACTOR)
    return key, raw_key


def unknown() -> str:
    """A well-formed raw key that nobody issued."""
    return crypto.make(is_test=False)
