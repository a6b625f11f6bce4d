"""Partners, who send events, and the keys that prove it. No column holds a secret.

A key lives one way: issued, perhaps expired, perhaps revoked, and never back or away. `lifecycle` issues and
revokes; the rest of the program reads.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from keys import crypto


class State(models.TextChoices):
    """Whether a key opens the door."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Partner(models.Model):
    """Somebody who sends events; the owner of every row that comes in with one of its keys."""

    name = models.CharField(max_length=255, unique=True)
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Questions about many keys."""

    def in_state(self, state: str) -> "ApiKeyQuerySet":
        """The keys that are in one `State` now; the same rule as `ApiKey.state`."""
        expired = Q(expires_at__isnull=False, expires_at__lte=timezone.now())
        return self.filter(
            {
                State.REVOKED: Q(revoked_at__isnull=False),
                State.EXPIRED: Q(revoked_at__isnull=True) & expired,
                State.ACTIVE: Q(revoked_at__isnull=True) & ~expired,
            }[State(state)]
        )


class ApiKey(models.Model):
    """One key: what is public of it, the digest of the rest, and what happened to it."""

    # What an operator may change. `save` writes nothing else of a key that exists, so that a form opened
    # before somebody revoked the key cannot bring it back by saving what it had read.
    EDITABLE = ("label", "expires_at")

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="keys")
    prefix = models.CharField(max_length=23, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    label = models.CharField(max_length=255, help_text="What the key is for, for those who will find it here.")
    is_test = models.BooleanField(
        "test key", default=False, help_text="Events of a test key are stored and marked as test."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)
    expires_at = models.DateTimeField(
        "expires", null=True, blank=True, help_text="Refused from this moment on. Empty: never."
    )
    revoked_at = models.DateTimeField("revoked", null=True, editable=False)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    last_used_at = models.DateTimeField("last used", null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at", "-id"]
        default_permissions = ("add", "change", "view")
        constraints = [
            models.CheckConstraint(
                name="keys_apikey_prefix_tells_test",
                condition=Q(is_test=True, prefix__startswith=f"{crypto.TEST}_")
                | Q(is_test=False, prefix__startswith=f"{crypto.LIVE}_"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix} ({self.label})"

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Write a new key whole, and of an existing one what `EDITABLE` lists (unless told which fields)."""
        if update_fields is None and not self._state.adding:
            update_fields = self.EDITABLE
        super().save(*args, update_fields=update_fields, **kwargs)

    def clean(self) -> None:
        """A new key that is already expired is a slip of the hand; ending an old one by its expiry is not."""
        if self._state.adding and self.expires_at is not None and self.expires_at <= timezone.now():
            raise ValidationError({"expires_at": "This moment has passed."})

    def is_active(self) -> bool:
        """Whether the key opens the door now; asked for every request, so it reads no clock needlessly."""
        return self.revoked_at is None and (self.expires_at is None or timezone.now() < self.expires_at)

    @property
    def state(self) -> State:
        """The key's state in one word."""
        if self.revoked_at is not None:
            return State.REVOKED
        return State.ACTIVE if self.is_active() else State.EXPIRED
