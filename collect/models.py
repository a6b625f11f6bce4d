"""What is kept: events, rejections, and the records of backfills and erasures (contract, sections 1 to 4).

No model may have a foreign key to an event's `id`: on a sharded database the primary key is (partner, id).
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from collect.intake.contract import MAX_ATTRIBUTION_TYPE, MAX_TEXT
from collect.intake.source import MAX_CHANNEL
from keys.models import ApiKey, Partner
from keys.restrictions import MAX_TAG_LENGTH


class Event(models.Model):
    """One enriched event. Columns have the contract's names; absent is NULL, but `params` and `extra` are objects."""

    id = models.UUIDField(primary_key=True, editable=False)
    received_at = models.DateTimeField()
    timestamp = models.DateTimeField()
    # The database enforces the partner and key of every event, at some cost for inserts; docs/decisions/0005.
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="events", db_index=False)
    # No index on the key: PostgreSQL would maintain one more tree for each event, and only deleting a key uses it.
    # NULL if the event came by an import, not with a key.
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="events", db_index=False, null=True)
    channel = models.CharField(max_length=MAX_CHANNEL)
    is_test = models.BooleanField()

    event_name = models.CharField(max_length=MAX_TEXT)
    # A derived tag is `site:` and a host name of up to 253 characters, which is longer than a sent tag may be.
    tag_id = models.CharField(max_length=MAX_TAG_LENGTH)
    # True if the server derived the tag, else NULL: a tag that was sent is never derived again.
    tag_derived = models.BooleanField(null=True)
    event_id = models.CharField(max_length=MAX_TEXT, null=True)
    page_url = models.TextField(null=True)
    referrer = models.TextField(null=True)
    user_agent = models.TextField(null=True)
    session_id = models.CharField(max_length=MAX_TEXT, null=True)
    client_id = models.CharField(max_length=MAX_TEXT, null=True)
    click_id = models.CharField(max_length=MAX_TEXT, null=True)
    impression_id = models.CharField(max_length=MAX_TEXT, null=True)
    bid_id = models.CharField(max_length=MAX_TEXT, null=True)
    attribution_type = models.CharField(max_length=MAX_ATTRIBUTION_TYPE, null=True)
    consent = models.JSONField(null=True)
    params = models.JSONField(default=dict)
    extra = models.JSONField(default=dict)

    ip_address = models.GenericIPAddressField(null=True)
    geo_country = models.CharField(max_length=2, null=True)
    geo_region = models.CharField(max_length=MAX_TEXT, null=True)
    geo_city = models.CharField(max_length=MAX_TEXT, null=True)
    geo_lat = models.FloatField(null=True)
    geo_lon = models.FloatField(null=True)
    ua_browser = models.CharField(max_length=MAX_TEXT, null=True)
    ua_browser_version = models.CharField(max_length=MAX_TEXT, null=True)
    ua_os = models.CharField(max_length=MAX_TEXT, null=True)
    ua_os_version = models.CharField(max_length=MAX_TEXT, null=True)
    ua_device = models.CharField(max_length=MAX_TEXT, null=True)
    ua_device_brand = models.CharField(max_length=MAX_TEXT, null=True)
    ua_device_model = models.CharField(max_length=MAX_TEXT, null=True)
    ua_is_bot = models.BooleanField(null=True)
    # One of `enrichment.bots.REASONS`. A library of HTTP is a reason too, but none to call an event a bot's.
    ua_bot_reason = models.CharField(max_length=16, null=True)

    class Meta:
        constraints: ClassVar = [
            # What was seen is remembered as long as the row exists, not for a window of hours.
            models.UniqueConstraint(
                fields=["partner", "tag_id", "event_id"],
                condition=Q(event_id__isnull=False),
                name="event_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["partner", "received_at"], name="event_arrival"),
            # Finds what is to be pruned. A live event is not in it, so its insert costs no more.
            models.Index(fields=["received_at"], condition=Q(is_test=True), name="event_test_arrival"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.event_name}"


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
