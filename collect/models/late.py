"""What was committed long after it was received: one row for each step of what moved it."""

from django.db import models

from keys.models import Partner


class LateArrival(models.Model):
    """Rows of a partner that a reader who follows the newest would miss: they lie where it has long been."""

    # When they had been committed.
    at = models.DateTimeField(db_index=True)
    # What brought them so late: one of `collect.storage.late`'s names.
    road = models.CharField(max_length=16)
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", db_index=False)
    events = models.PositiveIntegerField()
    rejections = models.PositiveIntegerField()
    # All of them lie from `start` to `end`, which is in it: by their `received_at`, and by the time in their ids.
    start = models.DateTimeField()
    end = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.road} {self.events} {self.start:%Y-%m-%d %H:%M:%S}"
