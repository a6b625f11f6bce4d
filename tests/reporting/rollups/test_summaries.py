"""Summaries are the sums of buckets: after an upgrade, and where something else is written into them it is seen."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command

from collect.models import Mark
from collect.storage import removal
from collect.storage.ledger.tally import Endpoint
from reporting.models import Cell, Summary
from reporting.rollups import checking
from reporting.rollups.running import Rollup
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
def test_pruned_events_stay_in_them_also_before_anything_was_counted() -> None:
    late = stored(received_at=NOON + 5 * DAY)
    before = oracle.events()
    removal.remove([*before], Endpoint.PRUNE)
    assert late in map(str, before)
    assert oracle.in_summaries() == oracle.summed([], before.values())


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
def test_upgrade_sums_up_what_was_counted_before_and_has_it_counted_anew() -> None:
    removal.remove(list(oracle.events())[:1], Endpoint.PRUNE)
    expected = oracle.in_summaries()
    Summary.objects.all().delete()
    Mark.objects.all().delete()
    import_module("reporting.migrations.0004_summary").sum_up(apps, None)
    assert oracle.in_summaries() == expected
    Cell.objects.filter(is_frozen=False).update(bot_reason=None)
    list(Rollup().run(NOON + 4 * DAY))
    assert oracle.in_summaries() == expected
    call_command("rollup", check=100)
