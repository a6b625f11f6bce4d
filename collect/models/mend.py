"""Mends that operators asked for on the console's pages."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from collect.models.rejection import RejectionGroup


class Mend(models.Model):
    """A preview or a replay of rejections, as they are after some operations; a worker's thread does it in steps.

    What was done is in the row together with what it did, so that any worker of any machine can go on with it.
    """

    class Kind(models.TextChoices):
        """What is done with the rejections."""

        PREVIEW = "preview"
        REPLAY = "replay"

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        CANCELLED = "cancelled"
        FAILED = "failed"

    OPEN = (State.WAITING, State.RUNNING)

    kind = models.CharField(max_length=16, choices=Kind)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    # Which rejections: all of a group or, without a group, these.
    group = models.ForeignKey(RejectionGroup, models.SET_NULL, related_name="mends", null=True)
    rejections = models.JSONField(default=list)
    # A JSON array, as `collect.mending.operations` reads it. A text, which keeps the digits of numbers.
    operations = models.TextField()
    # The preview that a replay follows: it takes the same rejections, and not those that came in since.
    preview = models.OneToOneField("self", models.SET_NULL, related_name="replay", null=True)
    # The ids of the last rejection that is meant, and of the last one that was looked at.
    upto = models.BigIntegerField(null=True)
    position = models.BigIntegerField(default=0)
    # How many rejections are meant, and were looked at.
    total = models.PositiveBigIntegerField(null=True)
    done = models.PositiveBigIntegerField(default=0)
    # How many came to which fate, and why those that are still refused are.
    counts = models.JSONField(default=dict)
    reasons = models.JSONField(default=dict)
    # Why it failed.
    fault = models.TextField(default="")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    # Remains when the user is deleted.
    requested_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        permissions: ClassVar = [("replay_rejection", "Can mend and replay rejections")]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(state__in=("waiting", "running")), name="mend_open"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.state in self.OPEN


class Foreseen(models.Model):
    """An event that the steps of a preview would have stored so far. It is deleted with the end of the preview."""

    mend = models.ForeignKey(Mend, models.CASCADE, related_name="foreseen", db_index=False)
    # `store.digest` of the event.
    digest = models.CharField(max_length=64)
    # The id of the rejection that it was.
    rejection = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["mend", "digest"], name="foreseen_once")]

    def __str__(self) -> str:
        return self.digest
