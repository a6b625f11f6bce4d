"""The ledger of outcomes: how many events came in, minute by minute, and what became of each (docs/console.md)."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from keys.models import ApiKey, Partner

_KEYED = ("api_key", "start", "minutes", "endpoint", "outcome", "code")
_KEYLESS = ("partner", "is_test", "start", "minutes", "endpoint", "outcome", "code")


class LedgerEntry(models.Model):
    """How many events of a key came to one outcome in a minute or, two days later, an hour.

    The moment is the one at which the server received them. `requests` and `bytes` are counted where requests come in.
    """

    start = models.DateTimeField()
    # 1 or 60: how long the time is that begins at `start`.
    minutes = models.PositiveSmallIntegerField()
    # The database does not enforce the two: with a partner missing from a restored database a batch would never pass.
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    # NULL for events that came by an import, not with a key.
    api_key = models.ForeignKey(
        ApiKey, models.PROTECT, related_name="+", db_index=False, db_constraint=False, null=True
    )
    is_test = models.BooleanField()
    # Where they came in, or what moved them: an `Endpoint` of `collect.storage.ledger.tally`.
    endpoint = models.CharField(max_length=16)
    # An `Outcome`, or what else the ledger counts.
    outcome = models.CharField(max_length=16)
    # Of what was refused: why. Else empty.
    code = models.CharField(max_length=32)
    events = models.BigIntegerField()
    requests = models.BigIntegerField()
    bytes = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=_KEYED, condition=Q(api_key__isnull=False), name="ledger_keyed_once"),
            models.UniqueConstraint(fields=_KEYLESS, condition=Q(api_key__isnull=True), name="ledger_keyless_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["start"], name="ledger_start"),
            # Finds what is to be folded.
            models.Index(fields=["start"], condition=Q(minutes=1), name="ledger_minutes"),
            models.Index(fields=["partner", "start"], name="ledger_partner_start"),
        ]
        verbose_name_plural = "ledger entries"

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} {self.endpoint} {self.outcome} {self.events}"


class LedgerBatch(models.Model):
    """A batch of counts that the ledger has, for as long as somebody might add it a second time."""

    id = models.UUIDField(primary_key=True)
    added_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.id)


class LedgerGap(models.Model):
    """What a process that was killed had counted, and not written down: at most so many events have no outcome."""

    machine = models.CharField(max_length=255)
    # The process, so that its gap is noted once.
    process = models.UUIDField(unique=True)
    # The time that the gap lies in.
    start = models.DateTimeField()
    end = models.DateTimeField(db_index=True)
    events = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.machine}: at most {self.events} events before {self.end}"


class Machine(models.Model):
    """A machine that takes events, as it last described itself. It does so every few seconds."""

    name = models.CharField(max_length=255, unique=True)
    reported_at = models.DateTimeField()
    # When a process of it was stopped in order; NULL since another one has reported.
    stopped_at = models.DateTimeField(null=True)
    # What waits in its spool; NULL where there is none, or it cannot be read.
    spool_events = models.BigIntegerField(null=True)
    spool_oldest = models.DateTimeField(null=True)
    spool_set_aside = models.BigIntegerField(null=True)
    # The state of its geo database, as /readyz has it, and when that was built.
    geo_state = models.CharField(max_length=16)
    geo_built_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
