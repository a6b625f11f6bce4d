"""The rollup: after any steps its buckets are what GROUP BY of the events says, and readers see all at any moment."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Sum

from collect.backfills.pruning import prune_test_events
from collect.models import Event, Mark
from collect.storage import removal, store
from collect.storage.ledger.tally import Endpoint
from reporting.models import Cell, Progress, Quarter
from reporting.rollups import checking, counting, running, sketches
from reporting.rollups.running import Rollup
from tests.reporting.views.events import NOON, arrival, stored

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Found = dict[tuple[Any, ...], int]
_BY = ("arrived", "quarter", "partner_id", "tag_id", "event_name", "channel", "country", "browser", "is_test")


def run(now: datetime) -> list[running.Step]:
    return list(Rollup().run(now))


def expected() -> Found:
    """What a person would count, of the events one by one."""
    return Counter(map(_key, Event.objects.all()))


def _key(event: Event) -> tuple[Any, ...]:
    def quarter(moment: datetime) -> datetime:
        return datetime.fromtimestamp(moment.timestamp() // 900 * 900, UTC)

    times = quarter(event.received_at), quarter(event.timestamp)
    names = event.partner_id, event.tag_id, event.event_name, event.channel, event.geo_country, event.ua_browser
    return *times, *names, event.is_test


def counted(model: Any) -> Found:
    return {tuple(row): events for *row, events in model.objects.values_list(*_BY).annotate(Sum("events"))}


def test_events_are_counted_once_they_are_settled() -> None:
    stored(received_at=NOON)
    assert run(NOON + timedelta(seconds=59))[-1].events == 0
    assert not Cell.objects.exists()
    run(NOON + timedelta(seconds=95))
    assert counted(Cell) == expected() != {}


def test_readers_see_what_no_bucket_has_yet() -> None:
    stored(received_at=NOON)
    run(NOON + 10 * MINUTE)
    stored(received_at=NOON + 9 * MINUTE + timedelta(seconds=1))
    stored("globex", received_at=NOON + 30 * MINUTE, is_test=True, geo_country="DE", ua_browser="Firefox")
    assert counted(Cell) != expected()
    assert counted(Quarter) == expected()


def test_quarter_hour_that_goes_on_is_counted_anew_and_not_twice() -> None:
    for minute in (0, 5, 14):
        stored(received_at=NOON + minute * MINUTE)
        run(NOON + (minute + 2) * MINUTE)
    assert Cell.objects.get().events == 3


def test_late_event_lands_in_the_bucket_of_its_arrival() -> None:
    stored(timestamp=NOON - 20 * DAY, received_at=NOON)
    run(NOON + HOUR)
    cell = Cell.objects.get()
    assert (cell.arrived, cell.quarter) == (NOON, NOON - 20 * DAY)


def test_values_are_added_by_currency_and_clients_are_distinct() -> None:
    for client, value, currency in (("a", 0.1, "EUR"), ("a", 0.2, "eur"), ("b", 5, "USD"), ("", 7, "ABC")):
        stored(client_id=client, params={"value": value, "currency": currency})
    run(NOON + HOUR)
    found = {cell.currency: cell for cell in Cell.objects.all()}
    assert {name: cell.value_e4 for name, cell in found.items()} == {"EUR": 3_000, "USD": 50_000, None: None}
    assert {name: len(cell.clients) for name, cell in found.items()} == {"EUR": 8, "USD": 8, None: 0}
    assert found[None].value_issue == "unknown_currency"


def test_bucket_with_very_many_clients_keeps_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "EXACT", 3)
    counting._statement.cache_clear()
    for number in range(5):
        stored(client_id=f"client {number}")
    run(NOON + HOUR)
    counting._statement.cache_clear()
    found = sketches.distinct(b"", [bytes(Cell.objects.get().clients)])
    assert (found.number, found.is_exact) == (5, False)


def test_event_of_the_past_is_counted_by_its_mark() -> None:
    stored(received_at=NOON)
    run(NOON + 3 * DAY)
    stored(received_at=NOON - 5 * DAY)
    assert counted(Cell) != expected()
    assert Mark.objects.exists()
    run(NOON + 3 * DAY)
    assert counted(Cell) == expected()
    assert not Mark.objects.exists()


def test_mark_is_committed_with_its_event_or_not_at_all() -> None:
    with transaction.atomic():
        stored(received_at=NOON - 5 * DAY)
        assert (Event.objects.count(), Mark.objects.count()) == (1, 1)
        transaction.set_rollback(True)
    assert (Event.objects.count(), Mark.objects.count()) == (0, 0)


def test_new_event_needs_no_mark() -> None:
    stored(received_at=datetime.now(UTC))
    assert not Mark.objects.exists()


def test_erased_events_leave_the_totals_and_pruned_ones_stay_in_them() -> None:
    kept, erased, pruned = (stored(received_at=NOON, client_id=name, tag_id=name) for name in ("k", "e", "p"))
    run(NOON + HOUR)
    removal.remove([erased], Endpoint.ERASE)  # type: ignore[list-item]
    removal.remove(list(Event.objects.filter(pk=pruned).values_list("pk", flat=True)), Endpoint.PRUNE)
    run(NOON + HOUR)
    assert dict(Cell.objects.values_list("tag_id", "pruned")) == {"k": 0, "p": 1}
    running.rebuild()
    run(NOON + HOUR)
    assert dict(Quarter.objects.values_list("tag_id", "events")) == {"k": 1, "p": 1}
    assert str(Event.objects.get().pk) == kept


def test_event_that_comes_into_pruned_history_is_added_to_its_totals() -> None:
    first = stored(received_at=NOON)
    run(NOON + HOUR)
    removal.remove(list(Event.objects.filter(pk=first).values_list("pk", flat=True)), Endpoint.PRUNE)
    stored(received_at=NOON)
    assert Quarter.objects.aggregate(Sum("events"))["events__sum"] == 1
    run(NOON + HOUR)
    assert Quarter.objects.aggregate(Sum("events"))["events__sum"] == 2


def test_pruned_test_events_stay_in_the_totals_of_test_events(settings: Any) -> None:
    settings.TEST_EVENTS_DAYS = 1
    stored(received_at=NOON, is_test=True)
    run(NOON + HOUR)
    assert prune_test_events(pause=0) == 1
    run(NOON + HOUR)
    assert Quarter.objects.values_list("is_test", "events").get() == (True, 1)


def test_check_compares_hours_and_names_the_partner_of_those_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    for hour in range(5):
        stored(received_at=NOON + hour * HOUR, params={"value": 1, "currency": "EUR"}, client_id="a")
    run(NOON + 6 * HOUR)
    assert checking.check(3).differences == []
    Cell.objects.filter(arrived=NOON + 2 * HOUR).update(value_e4=Decimal(10_001))
    found = checking.check(100)
    assert [one.part.start for one in found.differences] == [NOON + 2 * HOUR]
    with pytest.raises(CommandError) as raised:
        call_command("rollup", "--check", "100")
    assert raised.value.returncode == 3
    running.rebuild()
    run(NOON + 6 * HOUR)
    call_command("rollup", "--check", "100")
    assert "0 differ" in capsys.readouterr().out


def test_long_time_is_counted_in_steps_each_of_which_is_complete() -> None:
    for day in range(40):
        stored(received_at=NOON + day * DAY)
    seen = []
    for step in Rollup().run(NOON + 50 * DAY):
        assert counted(Quarter) == expected()
        seen.append(step.events)
    assert sum(seen) >= 40
    assert len(seen) > 3
    assert counted(Cell) == expected()


def test_rebuild_counts_the_same_and_mends_what_was_wrong() -> None:
    for day in range(3):
        stored(received_at=NOON + day * DAY)
    run(NOON + 4 * DAY)
    Cell.objects.update(events=7)
    running.rebuild()
    run(NOON + 4 * DAY)
    assert counted(Cell) == expected()
    assert Progress.objects.get().until == NOON + 4 * DAY - timedelta(seconds=60)


def test_command_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    stored(received_at=datetime.now(UTC) - HOUR)
    call_command("rollup")
    assert "1 events counted" in capsys.readouterr().out


def test_clients_of_two_partners_with_one_name_are_two() -> None:
    for partner in ("acme", "globex"):
        stored(partner, client_id="ann")
    run(NOON + HOUR)
    found = sketches.distinct(b"".join(map(bytes, Cell.objects.values_list("clients", flat=True))))
    assert found == sketches.Distinct(2, is_exact=True)


def test_last_moment_of_a_quarter_hour_belongs_to_it() -> None:
    stored(received_at=NOON - timedelta(microseconds=1), timestamp=NOON - timedelta(microseconds=300))
    for _ in range(2):
        run(NOON + HOUR)
        running.rebuild()
    run(NOON + HOUR)
    assert counted(Cell) == expected()
    assert Cell.objects.get().arrived == NOON - 15 * MINUTE


def test_what_a_try_stored_that_nobody_waited_for_is_counted_when_it_comes_again() -> None:
    """A server that stood still inserts what it was sent before, and its sender has spooled it since."""
    late = arrival(received_at=NOON)
    run(NOON + DAY)
    store._insert_new([late])
    run(NOON + DAY)
    assert counted(Cell) == {}
    (written,) = store.write([late])
    assert written.again
    run(NOON + DAY)
    assert counted(Cell) == expected() != {}


def test_clock_that_was_ahead_hides_nothing() -> None:
    stored(received_at=NOON - HOUR)
    ahead = datetime.now(UTC) + 3 * HOUR
    run(ahead)
    stored(received_at=datetime.now(UTC))
    stored(received_at=datetime.now(UTC) + 2 * HOUR)
    assert counted(Quarter) != expected()
    run(datetime.now(UTC))
    assert counted(Quarter) == expected()
    run(datetime.now(UTC) + DAY)
    assert counted(Cell) == expected()


def test_bucket_that_is_missing_before_all_others_is_found() -> None:
    for hour in range(3):
        stored(received_at=NOON + hour * HOUR)
    run(NOON + 4 * HOUR)
    Cell.objects.filter(arrived=NOON).delete()
    assert [one.part.start for one in checking.check(100).differences] == [NOON]
