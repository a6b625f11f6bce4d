"""Summaries are the sums of buckets: after an upgrade, and where something else is written into them it is seen."""

from datetime import timedelta
from decimal import Decimal

import pytest

from collect.storage import removal
from collect.storage.ledger.tally import Endpoint
from reporting import tops
from reporting.figures.asked import Asked
from reporting.figures.planner import figures
from reporting.models import Cell, Progress, Summary
from reporting.ranges import Range
from reporting.rollups import checking, running, summaries
from reporting.rollups.running import Rollup
from reporting.views.columns import VALUE_LIMIT
from tests.reporting.rollups import oracle
from tests.reporting.views.events import NOON, stored

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def _three_days() -> None:
    for day in range(3):
        stored(received_at=NOON + day * DAY, geo_country="DE", params={"value": 2, "currency": "EUR"})
        stored("globex", received_at=NOON + day * DAY, ua_bot_reason="monitor")
    list(Rollup().run(NOON + 4 * DAY))


@pytest.mark.usefixtures("_three_days")
def test_summaries_are_the_sums_of_the_events_by_one_dimension() -> None:
    assert oracle.in_summaries() == oracle.summed(oracle.events().values(), [])
    assert Summary.objects.filter(dimension="bot_reason", member="monitor").count() == 3


@pytest.mark.usefixtures("_three_days")
def test_pruned_events_stay_in_them() -> None:
    late = stored(received_at=NOON + 5 * DAY)
    before = oracle.events()
    removal.remove([*before], Endpoint.PRUNE)
    assert late in map(str, before)
    assert oracle.in_summaries() == oracle.summed([], before.values())


def test_events_that_are_pruned_before_anything_was_counted_are_in_them() -> None:
    stored(received_at=NOON)
    before = oracle.events()
    removal.remove([*before], Endpoint.PRUNE)
    assert not Progress.objects.exists()
    assert oracle.in_summaries() == oracle.summed([], before.values()) != {}


@pytest.mark.usefixtures("_three_days")
@pytest.mark.parametrize("field", ["events", "value_e4", "pruned"])
def test_check_finds_a_summary_that_is_wrong_or_missing(field: str) -> None:
    assert checking.check(100).differences == []
    one = Summary.objects.filter(arrived=NOON + DAY, dimension="country", member="DE")
    one.update(**{field: 7})
    (found,) = checking.check(100).differences
    assert (found.part.start, found.buckets) == (NOON + DAY, 1)
    one.delete()
    assert [one.buckets for one in checking.check(100).differences] == [1]


@pytest.mark.usefixtures("_three_days")
def test_until_buckets_are_summed_up_after_an_upgrade_figures_are_of_the_buckets() -> None:
    removal.remove(list(oracle.events())[:1], Endpoint.PRUNE)
    expected = oracle.in_summaries()
    over = Range(NOON - DAY, NOON + 4 * DAY)
    daily = figures(Asked(over, by=("day", "bot"))).rows
    # As migration 0004 leaves it.
    Summary.objects.all().delete()
    Progress.objects.update(is_summed_up=False)
    running.rebuild()
    assert figures(Asked(over, by=("day", "bot"))).rows == daily
    found = tops.of(over)
    assert (found.by["bot"], len(found.notes)) == ([], 1)
    list(Rollup().run(NOON + 4 * DAY))
    assert Progress.objects.get().is_summed_up
    assert oracle.in_summaries() == expected
    assert figures(Asked(over, by=("day", "bot"))).rows == daily
    assert tops.of(over).by["bot"] == [("monitor", 3)]


@pytest.mark.usefixtures("_three_days")
def test_rebuild_mends_summaries_of_which_all_events_are_pruned() -> None:
    removal.remove([*oracle.events()], Endpoint.PRUNE)
    expected = oracle.in_summaries()
    Summary.objects.all().delete()
    running.rebuild()
    list(Rollup().run(NOON + 4 * DAY))
    assert oracle.in_summaries() == expected


def test_sums_of_any_number_of_the_largest_values_stop_nothing() -> None:
    """SQLite fails where a sum has more than 64 bits."""
    value = VALUE_LIMIT - 1
    for tag in ("a", "b"):
        stored(tag_id=tag, params={"value": value, "currency": "EUR"})
    list(Rollup().run(NOON + DAY))
    for table in (Cell, Summary):
        table.objects.filter(value_e4__isnull=False).update(value_e4=9_000_000_000_000_000_000)
    summaries.make(Cell.objects.first().partner_id, NOON, NOON + DAY)  # type: ignore[union-attr]
    (found,) = Summary.objects.filter(dimension="").values_list("value_e4", flat=True)
    assert found is not None
    assert abs(found / Decimal(18 * 10**18) - 1) < Decimal("1e-9")
    (row,) = figures(Asked(Range(NOON, NOON + DAY), metrics=("value",))).rows
    assert abs(row["value"] / Decimal(18 * 10**14) - 1) < Decimal("1e-9")
