"""Marks: where the past has changed, for whoever keeps counts of it."""

from django.db import models

from keys.models import Partner


class Mark(models.Model):
    """Events of the partner that were received from `start` until before `end` have come, gone or changed since.

    It is appended in the transaction that changes them, and deleted in the one that counts them anew.
    """

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    # Both are whole quarter-hours.
    start = models.DateTimeField()
    end = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.partner_id} {self.start:%Y-%m-%d %H:%M} {self.end:%Y-%m-%d %H:%M}"
