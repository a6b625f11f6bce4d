"""Partners, who send events, and the keys that prove who they are. No column holds a secret.

A key's life has one direction: it is issued, may expire, may be revoked. It never comes back and is never deleted.
`lifecycle` issues, changes and revokes keys; the rest of the program reads them.
"""

import unicodedata
from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from keys import crypto, restrictions


class State(models.TextChoices):
    """Whether a key is accepted, and whether it will soon expire by itself."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    REVOKED = "revoked"


# A key that expires within this time is shown as expiring.
EXPIRING = timedelta(days=7)


class PartnerQuerySet(models.QuerySet["Partner"]):
    """Finds partners by names that are nearly theirs."""

    def nearest(self, name: str) -> list[str]:
        """Return the names that come nearest to this one, the nearest first; none if none comes near."""
        by_folded = {_folded(known): known for known in self.values_list("name", flat=True)}
        return [by_folded[found] for found in get_close_matches(_folded(name), by_folded, cutoff=_NEAR)]

    def unknown(self, name: str) -> str:
        """Return in words that there is no partner of this name, and who may be meant."""
        if near := self.nearest(name):
            return f"There is no partner {name!r}. Did you mean {' or '.join(map(repr, near))}?"
        return f"There is no partner {name!r}; the console's page Partners lists them."

    def twin_of(self, name: str) -> str | None:
        """Return another name that reads as this one does, but for case, blanks or width, if there is one."""
        folded = _folded(name)
        names = self.exclude(name=name).values_list("name", flat=True)
        return next((known for known in names if _folded(known) == folded), None)


_NEAR = 0.6


def _folded(name: str) -> str:
    """Return the name without what nobody sees in it: case, width, runs of blanks, marks of format (category Cf)."""
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", seen).casefold().split())


class Partner(models.Model):
    """Somebody who sends events; the owner of every row that comes in with one of its keys."""

    name = models.CharField(max_length=255, unique=True)
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)

    objects = PartnerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check that a new name differs from all others by more than case. Raises ValidationError if it does not."""
        others = Partner.objects.exclude(pk=self.pk)
        is_old = Partner.objects.filter(name=self.name).exists()
        if not is_old and (twin := others.twin_of(self.name)) is not None:
            raise ValidationError({"name": f"There is a partner {twin!r}: names must differ by more than case."})


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Selects keys by their state."""

    def in_state(self, state: str) -> "ApiKeyQuerySet":
        """Return the keys that are in this `State` now, by the same rule as `ApiKey.state`.

        Raises ValueError for a text that is no `State`.
        """
        now = timezone.now()
        expired = Q(expires_at__isnull=False, expires_at__lte=now)
        expiring = Q(expires_at__gt=now, expires_at__lte=now + EXPIRING)
        return self.filter(
            {
                State.REVOKED: Q(revoked_at__isnull=False),
                State.EXPIRED: Q(revoked_at__isnull=True) & expired,
                State.EXPIRING: Q(revoked_at__isnull=True) & expiring,
                State.ACTIVE: Q(revoked_at__isnull=True) & ~expired & ~expiring,
            }[State(state)]
        )

    def usable(self) -> "ApiKeyQuerySet":
        """Return the keys that are accepted now."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)

    def last_used(self, limit: int) -> "ApiKeyQuerySet":
        """Return up to `limit` keys that are accepted now: those used last, then the newest."""
        return self.usable().order_by(F("last_used_at").desc(nulls_last=True), "-pk")[:limit]


class ApiKey(models.Model):
    """One key: its public prefix, the digest of the raw key, its limits, and when it was issued, used and ended."""

    # What an operator may change. `save` writes only these fields of a key that exists, so that a form opened
    # before somebody revoked the key cannot bring it back by saving what it had read.
    EDITABLE = ("label", "expires_at", "tags", "networks", "per_second", "per_day")

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
    # The older key in whose place this one was issued. Both may be used until the older one expires.
    replaces = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, editable=False, related_name="replaced_by"
    )
    tags = models.JSONField(
        "allowed tags",
        default=list,
        blank=True,
        validators=[restrictions.validate_tags],
        help_text="Tag ids that the key may send for, exact or ending in *. Empty: any.",
    )
    networks = models.JSONField(
        "allowed networks",
        default=list,
        blank=True,
        validators=[restrictions.validate_networks],
        help_text="Networks (CIDRs) that the key is accepted from. Empty: any.",
    )

    per_second = models.PositiveIntegerField(
        "events a second",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="More are told 429. Empty: any number.",
    )
    per_day = models.PositiveIntegerField(
        "events a day",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="From midnight UTC; more are told 429. Empty: any number.",
    )
    # How many more requests are kept as they come, and until when (`collect.captures.keeping`).
    capture_left = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    capture_until = models.DateTimeField(null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at", "-id"]
        default_permissions = ("add", "change", "view")
        permissions = [("revoke_apikey", "Can revoke API key")]
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
        """Save all fields of a new key, but only `EDITABLE` of an existing one, unless `update_fields` is given."""
        if update_fields is None and not self._state.adding:
            update_fields = self.EDITABLE
        super().save(*args, update_fields=update_fields, **kwargs)

    def clean(self) -> None:
        """Check that a new key has not expired already, which would be a slip. Raises ValidationError where it has.

        An existing key may be given a past expiry, which ends it.
        """
        if self._state.adding and self.expires_at is not None and self.expires_at <= timezone.now():
            raise ValidationError({"expires_at": "This moment has passed."})

    def is_active(self) -> bool:
        """Tell whether the key is accepted now. Every request asks, so the clock is read only if the key expires."""
        return self.revoked_at is None and (self.expires_at is None or timezone.now() < self.expires_at)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit on how many events it may send."""
        return self.per_second is not None or self.per_day is not None

    @property
    def state(self) -> State:
        """The key's state in one word."""
        if self.revoked_at is not None:
            return State.REVOKED
        if not self.is_active():
            return State.EXPIRED
        is_expiring = self.expires_at is not None and self.expires_at <= timezone.now() + EXPIRING
        return State.EXPIRING if is_expiring else State.ACTIVE


class KeyChangeQuerySet(models.QuerySet["KeyChange"]):
    """Lets rows be added, but neither changed nor deleted."""

    def update(self, **kwargs: Any) -> int:
        """Refuse: what happened stays as it was. Raises TypeError always."""
        raise TypeError("the history of a key is append-only")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refuse: what happened stays. Raises TypeError always."""
        raise TypeError("the history of a key is append-only")


class KeyChange(models.Model):
    """One thing that happened to a key. Append-only: nothing changes a row, and only retention deletes it."""

    class What(models.TextChoices):
        """What can happen to a key."""

        ISSUED = "issued"
        ROTATED = "rotated"
        CHANGED = "changed"
        RESTRICTED = "restricted"
        REVOKED = "revoked"
        EXPIRED = "expired"
        # The label is too narrow, for a limited key is refused too. It stays, because another would need a migration;
        # pages and commands show the value.
        REFUSED = "refused", "refused after its end"
        CAPTURE = "capture"

    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="history")
    at = models.DateTimeField(default=timezone.now)
    what = models.CharField(max_length=16, choices=What)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    # Remains when the user is deleted; a command and the server have only this.
    by_name = models.CharField("by", max_length=255)
    address = models.GenericIPAddressField("from", null=True)
    detail = models.TextField()

    objects = KeyChangeQuerySet.as_manager()

    class Meta:
        verbose_name = "key history"
        verbose_name_plural = "key history"
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        # Several workers may notice that a key has expired, but it is recorded once.
        constraints = [
            models.UniqueConstraint(
                fields=["key", "at"], condition=Q(what="expired"), name="keys_keychange_expired_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.what} by {self.by_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write a new line. Raises TypeError for one that exists."""
        if not self._state.adding:
            raise TypeError("the history of a key is append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse: what happened stays. Raises TypeError always."""
        raise TypeError("the history of a key is append-only")
