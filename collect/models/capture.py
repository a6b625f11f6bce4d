"""What is kept of a request as it came, for an operator who has asked for it (docs/console.md)."""

from typing import ClassVar

from django.db import models

from keys.models import ApiKey, Partner


class Capture(models.Model):
    """One request of a key and its answer. No row lives for longer than `collect.captures.keeping.KEPT_FOR`."""

    received_at = models.DateTimeField(db_index=True)
    # From the key being accepted to the answer being made, with the time in which the body came.
    milliseconds = models.FloatField()
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+")
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="captures")
    request_id = models.CharField(max_length=128)
    ip_address = models.GenericIPAddressField(null=True)
    method = models.CharField(max_length=32)
    # With its query.
    path = models.TextField()
    protocol = models.CharField(max_length=16)
    # Pairs of a name and a value, in the order in which they came.
    headers = models.JSONField()
    # As it came on the wire, but without the framing of chunks; cut at `recording.KEPT_BYTES`. `body_size` is how much
    # of it was read.
    body = models.BinaryField()
    body_size = models.PositiveBigIntegerField()
    status = models.PositiveSmallIntegerField()
    answer_headers = models.JSONField()
    answer = models.BinaryField()
    answer_size = models.PositiveBigIntegerField()

    class Meta:
        default_permissions = ("view",)
        permissions: ClassVar = [("capture_requests", "Can capture requests of a key")]

    def __str__(self) -> str:
        return f"{self.request_id} {self.status}"
