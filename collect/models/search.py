"""The search index of events: which of them have an id, at any age (docs/decisions/0012).

No statement that stores an event writes here. A thread reads the events afterwards, in the order of their ids.
"""

from typing import ClassVar

from django.db import models


class SearchRun(models.Model):
    """The events of a range of ids, as they were when they were put into the index.

    Each run begins where another one ends. Before the first one is what is not in the index yet, behind the last one
    what is too new for it.
    """

    # From `first` to `until`, which is not in the run.
    first = models.UUIDField(unique=True)
    until = models.UUIDField(unique=True)
    # The number of the events and a sum over their ids. If the table has others, the run is made anew.
    events = models.BigIntegerField()
    checksum = models.BigIntegerField()
    # True if events of the range were stored or deleted since, as somebody said who did it.
    is_suspect = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["first"], condition=models.Q(is_suspect=True), name="search_run_suspect"),
        ]

    def __str__(self) -> str:
        return f"{self.first} to {self.until}: {self.events} events"


class SearchBlock(models.Model):
    """Entries of a run whose keys have the same slot. An entry is a part of the key and the id of an event."""

    pk = models.CompositePrimaryKey("slot", "run_id")
    slot = models.SmallIntegerField()
    # Without a constraint: to delete a run would look through all blocks, whose index begins with the slot.
    run = models.ForeignKey(SearchRun, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    entries = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.slot} of run {self.run_id}"
