"""What is kept: events, rejections, captures, the ledger, the search index, records of backfills and erasures.

No model may have a foreign key to an event's `id`: on a sharded database the primary key is (partner, id).
"""

from collect.models.backfills import Checkpoint, ErasedEvent, Erasure
from collect.models.capture import Capture
from collect.models.event import Event
from collect.models.late import LateArrival
from collect.models.ledger import LedgerBatch, LedgerEntry, LedgerGap, Machine
from collect.models.mark import Mark
from collect.models.mend import Foreseen, Mend
from collect.models.rejection import Build, Rejection, RejectionCount, RejectionGroup, RejectionTally
from collect.models.search import SearchBlock, SearchRun

__all__ = [
    "Build",
    "Capture",
    "Checkpoint",
    "ErasedEvent",
    "Erasure",
    "Event",
    "Foreseen",
    "LateArrival",
    "LedgerBatch",
    "LedgerEntry",
    "LedgerGap",
    "Machine",
    "Mark",
    "Mend",
    "Rejection",
    "RejectionCount",
    "RejectionGroup",
    "RejectionTally",
    "SearchBlock",
    "SearchRun",
]
