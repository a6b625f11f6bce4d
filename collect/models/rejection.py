"""What is kept of refused events: each one, the groups that have one cause, and the builds that sent them."""

from typing import ClassVar

from django.db import models

from keys.models import ApiKey, Partner

# Characters that are kept of the sender's headers.
MAX_USER_AGENT, MAX_CONTENT_TYPE = 256, 128
# Characters of a group's path and message.
MAX_FOLDED = 255


class Build(models.Model):
    """A program that sends with a key, named by the User-Agent header of its requests, whatever becomes of them."""

    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="builds", db_index=False)
    # The header, or one of the names of `collect.storage.grouping.builds`.
    user_agent = models.CharField(max_length=MAX_USER_AGENT)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    requests = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["api_key", "user_agent"], name="build_once")]

    def __str__(self) -> str:
        return self.user_agent


class RejectionGroup(models.Model):
    """The rejections of a key that have one cause. It counts all, also those of which no copy was kept.

    It is open until it is resolved, and regressed if it was seen again after that.
    """

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", db_index=False)
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="+", db_index=False)
    code = models.CharField(max_length=32)
    # The fields at fault, with the indexes of arrays left out; empty if no field is.
    path = models.CharField(max_length=MAX_FOLDED)
    # What the sender was told, with what varies left out.
    message = models.CharField(max_length=MAX_FOLDED)
    # SHA-256 of the key, the code, the path and the message.
    digest = models.CharField(max_length=64, unique=True)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    count = models.PositiveBigIntegerField()
    resolved_at = models.DateTimeField(null=True)
    # The operator's name; empty if it was resolved because nothing came for a day while the key went on sending.
    resolved_by = models.CharField(max_length=150, default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["last_seen"], name="group_last_seen"),
            models.Index(fields=["partner", "last_seen"], name="group_partner_last_seen"),
            models.Index(fields=["api_key", "first_seen"], name="group_key_first_seen"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.path}".strip()


class RejectionCount(models.Model):
    """How many rejections of a group a build sent in a minute or, two days later, an hour."""

    group = models.ForeignKey(RejectionGroup, models.CASCADE, related_name="counts", db_index=False)
    build = models.ForeignKey(Build, models.PROTECT, related_name="+", db_index=False)
    start = models.DateTimeField()
    # 1 or 60: how long the time is that begins at `start`.
    minutes = models.PositiveSmallIntegerField()
    # When the first of them came in.
    first_seen = models.DateTimeField()
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "start", "minutes", "build"], name="rejection_count_once")
        ]
        indexes: ClassVar = [models.Index(fields=["start"], name="rejection_count_start")]

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} {self.count}"


class Rejection(models.Model):
    """One refused or conflicting event of an authenticated sender, kept so that it can be seen and replayed."""

    received_at = models.DateTimeField(db_index=True)
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="rejections")
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="rejections")
    # NULL for what was kept before there were groups.
    group = models.ForeignKey(RejectionGroup, models.PROTECT, related_name="rejections", null=True, db_index=False)
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
    # The request's headers; NULL where they are unknown, as of an event that waited in the spool.
    user_agent = models.CharField(max_length=MAX_USER_AGENT, null=True)
    content_type = models.CharField(max_length=MAX_CONTENT_TYPE, null=True)
    # The event that the rejection became by a replay, and when.
    replayed_as = models.UUIDField(null=True)
    replayed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["partner", "received_at"], name="rejection_arrival"),
            models.Index(fields=["group", "id"], name="rejection_group"),
            # What a search and the page of an event ask for. Rejections are few, which events are not.
            models.Index(fields=["request_id"], name="rejection_request"),
            models.Index(fields=["event"], condition=models.Q(event__isnull=False), name="rejection_event"),
            models.Index(
                fields=["replayed_as"], condition=models.Q(replayed_as__isnull=False), name="rejection_replayed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.code}"


class RejectionTally(models.Model):
    """How many rejections a key had in an hour, and how many were kept, which is bounded: nobody can fill the disk.

    Its row is also the lock under which the rejections of a key are kept, so that several workers keep to the bound.
    """

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
