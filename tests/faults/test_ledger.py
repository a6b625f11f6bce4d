"""Is this all of it: the ledger has what the senders were told, through outages and restarts."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.house import House, until
from tests.faults.teller import Teller
from tests.harness.collector import manage

OUTCOMES = """SELECT outcome, sum(events)::int FROM collect_ledgerentry
              WHERE endpoint IN ('collect', 'batch') AND outcome <> 'turned_away' GROUP BY outcome"""
TURNED_AWAY = """SELECT code, sum(requests)::int FROM collect_ledgerentry
                 WHERE outcome = 'turned_away' GROUP BY code"""
STORED = """SELECT coalesce(sum(events), 0)::int FROM collect_ledgerentry
            WHERE endpoint IN ('collect', 'batch', 'drain') AND outcome = 'stored'"""


@pytest.fixture
def teller(house: House) -> Callable[[int], Teller]:
    """Senders of so many requests, with a key without a limit and one that may send two events a second."""
    limited = manage(house.url, "issue_key", "--partner", "acme", "--label", "limited").strip()
    prefix = limited.rpartition("_")[0]
    house.execute(f"UPDATE keys_apikey SET per_second = 2 WHERE prefix = '{prefix}'")
    house.post({"event_name": "first"}, key=limited)
    house.post({"event_name": "first"})
    time.sleep(6)  # until every worker knows the limit
    house.execute("DELETE FROM collect_ledgerentry")
    house.execute("DELETE FROM collect_event")
    return lambda requests: Teller(house.port, house.key, limited, requests)


def outcomes(house: House) -> dict[str, int]:
    return {outcome: events for outcome, events in house.rows(OUTCOMES) if events}


def reload(house: House) -> None:
    """Restart the workers, and wait until new ones have the place of the old."""
    before = set(house.workers())
    house.process.send_signal(signal.SIGHUP)
    until(lambda: len(house.workers()) == 2 and not before & set(house.workers()), 60, "the workers are new")


def assert_conserved(house: House, sent: Teller) -> None:
    """Fail unless the ledger has what the senders were told, and the table what the ledger says."""
    told = {outcome: events for outcome, events in sent.told.items() if events}
    until(lambda: outcomes(house).get("received") == sum(told.values()), 60, f"all is written: {told}")
    found = outcomes(house)
    assert found.pop("received") == sum(told.values())
    assert found == told
    assert dict(house.rows(TURNED_AWAY)) == dict(sent.turned_away)
    until(lambda: house.rows(STORED)[0][0] == house.count(), 30, "what was drained is counted")
    assert house.rows("SELECT count(*) FROM collect_ledgergap")[0][0] == 0


def through_an_outage_and_restarts(house: House, sent: Teller, requests: int) -> None:
    with sent:
        for part in (1, 2, 3):
            until(lambda part=part: sent.answered > part * requests // 5, 300, "a fifth is sent")  # type: ignore[misc]  # mypy sees no default
            if part == 2:
                house.postgres.stop("immediate")
                at = sent.answered
                until(lambda at=at: sent.answered > at + requests // 10, 300, "some are spooled")  # type: ignore[misc]  # as above
                house.postgres.start()
                house.wait_until_drained()
            reload(house)
        sent.wait()
    house.wait_until_drained()
    assert not sent.cut
    assert {"stored", "duplicate", "conflict", "spooled", "rejected", "rate_limited"} <= sent.told.keys()
    assert_conserved(house, sent)


def test_ledger_has_what_senders_were_told_through_an_outage_and_three_restarts(
    house: House, teller: Callable[[int], Teller]
) -> None:
    through_an_outage_and_restarts(house, teller(3_000), 3_000)


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_ledger_has_what_the_senders_of_100_000_requests_were_told(
    house: House, teller: Callable[[int], Teller], capsys: pytest.CaptureFixture[str]
) -> None:
    sent = teller(100_000)
    through_an_outage_and_restarts(house, sent, 100_000)
    with capsys.disabled():
        print(f"\n{sent.answered} requests: {dict(sent.told)}, {dict(sent.turned_away)}")


def test_after_a_kill_no_more_is_missing_than_the_unknown_that_is_shown(
    house: House, teller: Callable[[int], Teller]
) -> None:
    with teller(6_000) as sent:
        until(lambda: sent.answered > 2_000, 120, "a part is sent")
        house.kill_worker()
        sent.wait()
    told = sum(sent.told.values())
    until(lambda: house.rows("SELECT count(*) FROM collect_ledgergap")[0][0] > 0, 30, "the gap is noted")
    until(lambda: outcomes(house).get("received", 0) + unknown(house) >= told, 30, "the rest is written")
    found = outcomes(house)
    received = found.pop("received")
    # What was cut may have come in.
    assert told - unknown(house) <= received <= told + sent.cut
    assert received >= sum(found.values()) >= received - unknown(house)


def unknown(house: House) -> int:
    return int(house.rows("SELECT coalesce(sum(events), 0) FROM collect_ledgergap")[0][0])
