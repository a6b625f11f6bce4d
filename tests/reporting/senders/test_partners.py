"""What partners send, by the ledger: parts that add up, silence that is one, and no more rows than needed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collect.models import LedgerEntry
from collect.storage import store
from keys.models import ApiKey
from reporting.ranges import Range
from reporting.senders import clocks, partners
from reporting.senders.clocks import Signature
from runtime.refusals import Code, Refusal
from tests.harness import factories

END = datetime(2026, 11, 26, 16, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def key(db: None) -> ApiKey:
    return factories.issue()[0]


def entry(key: ApiKey, at: datetime, events: int = 1, outcome: str = "stored", **fields: Any) -> None:
    defaults: dict[str, Any] = {"minutes": 1, "endpoint": "collect", "code": "", "requests": 0, "bytes": 0}
    LedgerEntry.objects.create(
        start=at, partner=key.partner, api_key=key, is_test=key.is_test, outcome=outcome, events=events,
        **defaults | fields,
    )  # fmt: skip


@pytest.mark.parametrize("length", [timedelta(minutes=15), HOUR, timedelta(hours=3.7), DAY, 7 * DAY, 30 * DAY])
@pytest.mark.parametrize("minute", [0, 23])
def test_rhythm_has_few_points_and_the_sum_of_the_outcomes(key: ApiKey, length: timedelta, minute: int) -> None:
    over = Range(END - length + timedelta(minutes=minute), END + timedelta(minutes=minute))
    for at, events, outcome in ((over.start, 1, "stored"), (over.end - MINUTE, 2, "rejected"), (END, 4, "duplicate")):
        entry(key, at, events, outcome)
    (found,) = partners.sent([key.partner_id], over).values()
    within = {"duplicate": 4} if over.start <= END < over.end else {}
    assert found.outcomes == {"stored": 1, "rejected": 2, **within}
    assert 10 < len(found.rhythm) <= 25
    assert sum(found.rhythm) == found.outcomes.total()
    assert found.rhythm[0] == 1
    assert found.rhythm[-1] >= 2


def test_share_is_of_what_was_refused(key: ApiKey) -> None:
    quiet = factories.partner("Quiet")
    entry(key, END - HOUR, 3)
    entry(key, END - HOUR, 1, "rejected", code="invalid_event")
    found = partners.sent([key.partner_id, quiet.pk], Range(END - DAY, END))
    assert (found[key.partner_id].refused_share, found[quiet.pk].refused_share) == (0.25, None)


def test_events_are_live_ones_of_senders_in_the_range_alone(key: ApiKey) -> None:
    test_key, other = factories.issue(is_test=True)[0], factories.issue(partner=factories.partner("Beta"))[0]
    entry(key, END - HOUR)
    for one in (test_key, other):
        entry(one, END - HOUR, 100)
    entry(key, END - HOUR, 100, "stored", endpoint="drain")
    entry(key, END - HOUR, 100, "received")
    for moment in (END, END - DAY - MINUTE):
        entry(key, moment, 100)
    assert partners.sent([key.partner_id], Range(END - DAY, END))[key.partner_id].outcomes == {"stored": 1}


def test_keys_are_told_apart_with_what_was_turned_away(key: ApiKey) -> None:
    other, _ = factories.issue()
    entry(key, END - HOUR, 4)
    entry(key, END - HOUR, 2, "rejected", code="invalid_event")
    entry(other, END - HOUR, 0, "turned_away", code="revoked", requests=7)
    assert partners.by_key(key.partner_id, Range(END - DAY, END)) == {
        key.pk: {"stored": 4, "rejected": 2},
        other.pk: {"turned_away": 7},
    }


def test_key_is_named_that_is_used_and_always_refused(key: ApiKey) -> None:
    other, third = factories.issue()[0], factories.issue()[0]
    for one, outcome, events in (
        (key, "rejected", 10), (other, "rejected", 50), (other, "duplicate", 1), (third, "rejected", 9),
    ):  # fmt: skip
        entry(one, END - HOUR, events, outcome, code="invalid_event" if outcome == "rejected" else "")
    found = partners.always_refused([key.partner_id], Range(END - DAY, END))
    assert found == [(key.partner_id, key.pk, 10)]


def test_last_events_are_of_those_that_have_any(key: ApiKey) -> None:
    quiet = factories.partner("Quiet")
    for hours in (3, 1):
        store.write([factories.arrival(factories.source(key, received_at=END - hours * HOUR))])
    assert partners.last_events([key.partner_id, quiet.pk]) == {key.partner_id: END - HOUR}


@pytest.mark.parametrize(
    ("hours", "is_silent"),
    [
        (range(2, 26), True),
        (range(2, 23), True),
        (range(0, 24), False),
        (range(2, 12), False),
        (range(2, 26, 2), False),
        ([2], False),
    ],
)
def test_partner_is_silent_that_sent_hour_by_hour_and_stopped(key: ApiKey, hours: list[int], is_silent: bool) -> None:
    for hour in hours:
        entry(key, END - hour * HOUR - MINUTE, outcome="received")
    last = END - 2 * HOUR - MINUTE
    assert partners.silent([key.partner_id], END) == ({key.partner_id: last} if is_silent else {})


def test_refused_microseconds_reach_the_clock_doctor(key: ApiKey) -> None:
    refusal = Refusal(Code.INVALID_EVENT, "no", errors={"timestamp": ["must lie in the years 1970 to 9999"]})
    other = Refusal(Code.INVALID_EVENT, "no", errors={"params": ["must be an object"]})
    for n in range(60):
        at = END - timedelta(minutes=n + 1)
        micro = int(at.timestamp() * 1e6)
        factories.reject(refusal, factories.source(key, received_at=at), b'{"timestamp": %d}' % micro)
        factories.reject(other, factories.source(key, received_at=at), b'{"timestamp": %d}' % micro)
    for body in (b'{"timestamp": "2026"}', b"[", b'{"timestamp": 1e400}', b"[" * 5_000, b"\xff"):
        factories.reject(refusal, factories.source(key, received_at=END - HOUR), body)
    found = partners.refused_clock(key.partner_id, Range(END - DAY, END))
    assert len(found) == 60
    (diagnosis,) = clocks.diagnose(found)
    assert diagnosis.signature is Signature.MICROSECONDS
