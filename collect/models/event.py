"""What is kept of each event (contract, sections 1 to 4)."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from collect.intake.contract import MAX_ATTRIBUTION_TYPE, MAX_TEXT
from collect.intake.source import MAX_CHANNEL
from collect.models.queries import EventQuerySet
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

    objects = EventQuerySet.as_manager()

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
