"""The planner: every figure is what a person counts by hand, whatever it is asked by, and says what it leaves out."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collect.models import Event
from collect.storage import removal
from collect.storage.ledger.tally import Endpoint
from reporting.figures import clients
from reporting.figures.asked import Asked
from reporting.figures.filters import Filter, parsed
from reporting.figures.planner import Figures, figures
from reporting.ranges import Range
from reporting.reports.question import BadQuestion
from reporting.rollups import counting, sketches
from reporting.rollups.running import Rollup
from tests.harness import factories
from tests.reporting.views.events import NOON, stored

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOVEMBER = Range(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
EUR, USD = {"currency": "EUR"}, {"currency": "USD"}


def ask(*metrics: str, by: tuple[str, ...] = (), filters: tuple[str, ...] = (), **more: Any) -> Figures:
    asked = Asked(**{"over": NOVEMBER, "metrics": metrics, "by": by, "filters": parsed(filters), **more})
    return figures(asked)


def rows(found: Figures, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in found.rows]


@pytest.fixture(params=["in buckets", "in none yet", "half of them"])
def counted(request: pytest.FixtureRequest) -> Any:
    """Count some of the events before the question is asked."""
    until = {"in buckets": NOON + 100 * DAY, "in none yet": None, "half of them": NOON + 10 * DAY}[request.param]

    def count() -> None:
        if until is not None:
            list(Rollup().run(until))

    return count


def test_events_by_partner_name_and_country(counted: Any) -> None:
    for day in range(20):
        stored("acme", received_at=NOON + day * DAY, geo_country="DE" if day % 2 else None)
        stored("globex", received_at=NOON + day * DAY, event_name="items_added", is_test=day == 3)
    counted()
    found = ask("events", by=("partner", "event_name", "country"))
    assert rows(found, "partner", "event_name", "country", "events") == [
        ("acme", "order_created", "DE", 10),
        ("acme", "order_created", None, 10),
        ("globex", "items_added", None, 19),
    ]


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham"])
def test_days_are_those_of_the_time_zone(counted: Any, name: str) -> None:
    zone: tzinfo = ZoneInfo(name)
    # Over the end of summer time, every 7 hours and 11 minutes.
    moments = [datetime(2026, 10, 20, tzinfo=UTC) + number * timedelta(hours=7, minutes=11) for number in range(60)]
    for moment in moments:
        stored(received_at=moment)
    counted()
    over = Range(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    days = [moment.astimezone(zone).date() for moment in moments]
    for step, starts in (("day", days), ("month", [day.replace(day=1) for day in days])):
        expected = Counter(starts)
        found = ask("events", by=(step,), over=over, zone=zone)
        assert {row[step].date(): row["events"] for row in found.rows} == expected


def test_values_never_cross_currencies_and_what_is_no_value_has_a_row(counted: Any) -> None:
    params: list[dict[str, Any]] = [{"value": 0.1, **EUR}, {"value": 0.2, **EUR}, {"value": 7, **USD}, {}, {}]
    params += [{"value": 5}, {"value": "9", **EUR}, {"value": 1, "currency": "ABC"}]
    for number, one in enumerate(params):
        stored(received_at=NOON + number * DAY, params=one)
    counted()
    found = ask("events", "valued", "value", "average")
    assert rows(found, "currency", "value_issue", "events", "valued", "value", "average") == [
        ("EUR", None, 2, 2, Decimal("0.3"), Decimal("0.15")),
        ("USD", None, 1, 1, Decimal(7), Decimal(7)),
        (None, "no_currency", 1, 0, None, None),
        (None, "unknown_currency", 1, 0, None, None),
        (None, "value_not_a_number", 1, 0, None, None),
        (None, None, 2, 0, None, None),
    ]


def test_clients_are_distinct_over_buckets_and_partners(counted: Any) -> None:
    expected: dict[str, set[str]] = defaultdict(set)
    for number in range(30):
        client = ["ann", "bob", "", None, "ann "][number % 5]
        stored(received_at=NOON + number * DAY / 3, client_id=client, event_name=f"name {number % 2}")
        if client:
            expected[f"name {number % 2}"].add(client)
    stored("globex", client_id="ann", event_name="name 0")
    counted()
    found = ask("events", "clients", by=("event_name",))
    numbers = {"name 0": len(expected["name 0"]) + 1, "name 1": len(expected["name 1"])}
    assert dict(rows(found, "event_name", "clients")) == numbers
    assert "Clients are counted exactly." in found.notes
    assert rows(ask("clients"), "clients") == [(4,)]


def test_clients_of_several_buckets_are_never_taken_for_registers() -> None:
    """512 hashes are as long as the registers of one bucket."""
    for number in range(512):
        stored(received_at=NOON + number * timedelta(minutes=1), client_id=f"client {number}")
    list(Rollup().run(NOON + 2 * DAY))
    found = ask("clients")
    assert (found.rows[0]["clients"], found.notes) == (512, ["Clients are counted exactly."])


def test_vague_buckets_are_counted_event_by_event_and_above_a_limit_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "EXACT", 3)
    counting._statement.cache_clear()  # the limit stands in it
    for number in range(40):
        stored(client_id=f"client {number}", received_at=NOON + number * timedelta(seconds=1))
    stored("globex", client_id="client 1", received_at=NOON + 3 * DAY)
    list(Rollup().run(NOON + DAY))
    counting._statement.cache_clear()
    found = ask("clients")
    assert (found.rows[0]["clients"], found.notes) == (41, ["Clients are counted exactly."])
    monkeypatch.setattr(clients, "COUNTED_BELOW", 10)
    found = ask("clients")
    assert abs(found.rows[0]["clients"] - 41) <= 2
    assert found.notes[0].startswith("Clients are an estimate with an error of 1.6%")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("country is DE", {"a"}),
        ("country is not DE", {"b", "c"}),
        ("country is unknown", {"c"}),
        ("country is not unknown", {"a", "b"}),
        ("event_name contains _b", {"b"}),
        ("event_name contains %", set()),
        ("event_name greater name_a", {"b", "c"}),
        ("event_name less name_b", {"a"}),
        ("category is custom", {"a", "b", "c"}),
        ("partner is acme", {"a", "b"}),
        ("tag is not shop", set()),
        ("events greater 1", {"b"}),
        ("events is 1", {"a", "c"}),
        ("events less 1", set()),
        ("clients is 1", {"a"}),
    ],
)
def test_filters(counted: Any, condition: str, expected: set[str]) -> None:
    stored("acme", event_name="name_a", geo_country="DE", client_id="ann")
    stored("acme", event_name="name_b", geo_country="FR")
    stored("acme", event_name="name_b", geo_country="FR")
    stored("globex", event_name="name_c")
    counted()
    found = ask("events", by=("event_name",), filters=(condition,))
    assert {row["event_name"][-1] for row in found.rows} == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("land is DE", "land"),
        ("country", "is not"),
        ("country equals DE", "equals DE"),
        ("day is 2026-11-01", "range"),
        ("events contains 1", "contains"),
        ("events is many", "many"),
        ("events greater nan", "nan"),
        ("events less -Infinity", "Infinity"),
        ("events is sNaN", "sNaN"),
    ],
)
def test_filter_that_is_none_is_named(text: str, word: str) -> None:
    with pytest.raises(BadQuestion, match=word):
        Filter.of(text)


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"metrics": ("sales",)}, "sales"), ({"by": ("land",)}, "land"), ({"over": Range(NOON, NOON + HOUR / 7)}, ":08:")],
)
def test_question_that_has_no_answer_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(BadQuestion, match=word):
        figures(Asked(**{"over": NOVEMBER, **fields}))


def test_answer_says_that_the_past_changes_and_what_was_pruned() -> None:
    stored(received_at=NOON)
    list(Rollup().run(NOON + DAY))
    assert ask("events").notes == []
    removal.remove(list(Event.objects.values_list("pk", flat=True)), Endpoint.PRUNE)
    told = ask("events")
    assert [row["events"] for row in told.rows] == [1]
    assert [note.split()[0] for note in told.notes] == ["1"]
    stored(received_at=NOON)
    assert [note.split()[0] for note in ask("events").notes] == ["Events", "1"]


def test_figures_are_of_one_partner_where_one_is_named(counted: Any) -> None:
    stored("acme", client_id="ann")
    stored("globex", client_id="ann")
    counted()
    found = ask("events", "clients", partner=factories.partner("acme"))
    assert rows(found, "events", "clients") == [(1, 1)]


def test_events_outside_of_the_range_are_not_in_it(counted: Any) -> None:
    for moment in (NOVEMBER.start, NOVEMBER.end - timedelta(seconds=1)):
        stored(timestamp=moment, received_at=NOON, client_id="a")
    for moment in (NOVEMBER.start - timedelta(seconds=1), NOVEMBER.end):
        stored(timestamp=moment, received_at=NOON, client_id="b")
    counted()
    assert rows(ask("events", "clients"), "events", "clients") == [(2, 1)]
