"""What the tests of walks over stored events begin with."""

import pytest

from collect.backfills import walk
from collect.backfills.reenriching import ReenrichOptions, reenrich_events
from collect.backfills.run import Run, Stopped
from collect.models import Event
from collect.storage import ingest
from collect.storage.rows import Arrival
from tests.harness import databases

CURL = "curl/8.4.0"


def store(*arrivals: Arrival) -> None:
    ingest.write(arrivals)


def forget_browsers() -> None:
    Event.objects.update(ua_browser=None, ua_browser_version=None, ua_is_bot=None, ua_bot_reason=None)


def stop_after_one_range(size: int, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "SQLITE_RANGE" if databases.is_sqlite() else "RANGE", size)
    run.stop_asked = True
    with pytest.raises(Stopped):
        reenrich_events(ReenrichOptions(), run)
