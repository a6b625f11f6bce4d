"""The records of backfills and erasures."""

from typing import ClassVar

from django.db import models

from keys.models import Partner


class Checkpoint(models.Model):
    """How far a backfill has come. The row exists only while the backfill is unfinished."""

    # SHA-256 of what identifies the work when it is run again: the command, its selection, its files.
    name = models.CharField(max_length=64, unique=True)
    command = models.CharField(max_length=64)
    position = models.JSONField()
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.command} {self.position}"


class Erasure(models.Model):
    """One request to erase a person or an event, and the proof that it was done. Nothing in it tells who it was."""

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+")
    field = models.CharField(max_length=16)
    # SHA-256 of partner, field and value.
    subject = models.CharField(max_length=64)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["partner", "field", "subject"], name="erasure_once"),
        ]

    def __str__(self) -> str:
        return f"{self.field} {self.subject}"


class ErasedEvent(models.Model):
    """The digest that keeps an erased event away: a sender that sends it again is told that it is a duplicate."""

    # `store.digest` of the event: of its idempotency key, or of its id where it had none.
    digest = models.CharField(max_length=64, primary_key=True)
    # The id that the event had.
    event = models.UUIDField()
    erasure = models.ForeignKey(Erasure, models.PROTECT, related_name="events", db_index=True)

    def __str__(self) -> str:
        return self.digest
