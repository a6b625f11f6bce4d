"""What is kept of refused events, so that they can be seen and replayed."""

from typing import ClassVar

from django.db import models

from keys.models import ApiKey, Partner


class Rejection(models.Model):
    """One refused or conflicting event of an authenticated sender, kept so that it can be seen and replayed."""

    received_at = models.DateTimeField(db_index=True)
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="rejections")
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="rejections")
    request_id = models.CharField(max_length=128)
    code = models.CharField(max_length=32)
    detail = models.TextField()
    # The faults by field; for a conflict, the fields that differ.
    errors = models.JSONField(default=dict)
    # The stored event that a conflicting one collided with.
    event = models.UUIDField(null=True)
    # Bytes, since a refused body need not be text. It is cut at 64 KiB; `body_size` is the size of what was read.
    body = models.BinaryField()
    body_size = models.PositiveBigIntegerField()
    # The address that the event would have had, so that a replay can look up the sender's place.
    ip_address = models.GenericIPAddressField(null=True)
    # The event that the rejection became by a replay, and when.
    replayed_as = models.UUIDField(null=True)
    replayed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["partner", "received_at"], name="rejection_arrival")]

    def __str__(self) -> str:
        return f"{self.request_id} {self.code}"


class RejectionTally(models.Model):
    """How many rejections a key had in an hour, and how many were kept, which is bounded: nobody can fill the disk."""

    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="+")
    hour = models.DateTimeField()
    seen = models.PositiveBigIntegerField(default=0)
    kept = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["api_key", "hour"], name="tally_once")]
        verbose_name = "rejections by hour"
        verbose_name_plural = "rejections by hour"

    def __str__(self) -> str:
        return f"{self.kept} of {self.seen} kept"
