"""The month, by all roads, against what is known of it: every view and report, and another reader of an export."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reporting.funnels import plan as funnels
from reporting.funnels.report import funnel
from reporting.models import Cell, Progress
from reporting.ranges import Range
from reporting.reports.question import Question
from tests.harness import databases
from tests.reporting.funnels import oracle
from tests.reporting.month import attribution, checks, listed, reports
from tests.reporting.month.credited import REASONS, Credited
from tests.reporting.month.duck import Duck
from tests.reporting.month.known import ZONES, Known
from tests.reporting.month.known import known as known_of
from tests.reporting.month.plan import BEGIN, Planned, plan
from tests.reporting.month.roads import Roads, call, moment

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "spool"]),
    pytest.mark.usefixtures("spooling"),
]
SMALL = 12_000


def is_as_known(known: Known, size: int, directory: Path) -> None:
    """Compare everything, and name what differs."""
    assert checks.differences(checks.OF_EVENTS, known) == {}
    assert checks.differences(checks.COUNTED, known) == {}
    call("rollup", check=20)
    assert checks.differences(reports.REPORTS, known) == {}
    is_small = size < 1_000_000
    if is_small:
        assert checks.differences(reports.OF_FEW, known) == {}
    assert checks.differences(attribution.checks((lambda: plan(size)) if is_small else None), known) == {}
    assert checks.differences({"reconcile": listed.check(directory, lambda: plan(size))}, known) == {}
    duck = Duck(exported(directory))
    assert duck.daily() == known.dated()
    for zone in ZONES:
        assert duck.days(zone) == known.days(zone)
    assert duck.conversions() == {key: one.pair for key, one in known.conversions.items()}
    assert {key: number for key, number in duck.repeats().items() if number} == dict(known.repeats)


def exported(directory: Path) -> Path:
    """The month as `export_events` writes it."""
    path = directory / "month.parquet"
    call("export_events", format="parquet", out=str(path))
    return path


def test_month_has_all_that_happens(tmp_path: Path) -> None:
    """Nothing that is meant to be in the month is missing from it, or its figures would be known of nothing."""
    known = known_of(plan(SMALL))
    assert known.stored < SMALL
    assert {issue for (*_, issue) in known.daily} == {
        None, "value_not_a_number", "value_out_of_range", "no_currency", "unknown_currency",
    }  # fmt: skip
    assert {currency for (*_, currency, _) in known.daily} == {None, "EUR", "USD", "GBP", "JPY", "BHD"}
    assert {channel for (_, _, _, _, channel, *_) in known.daily} == {"server", "history"}
    assert min(known.late[of] for of in range(5)) > 10
    assert min(known.repeats.values()) > 10
    assert min(known.differing.values()) > 0
    assert sum(number for (*_, is_test), number in known.quarters.items() if is_test) > 100
    assert {event.road for event in plan(SMALL)} == {"live", "spooled", "imported", "replayed"}
    assert sum(event.is_erased for event in plan(SMALL)) > 5
    assert sum(event.is_sent_twice for event in plan(SMALL)) > 100
    assert set(known.params["order_created"]["value"].types) == {"number", "string", "null"}
    credited = Credited(plan(SMALL))
    assert {reason for reason, _ in credited.nothing} == set(REASONS.values())
    # The credit of some is divided.
    assert credited.credit["linear"].keys() > credited.credit["last"].keys()
    assert min(listed.Listed(tmp_path / "orders.csv", plan(SMALL)).lines.values()) > 10


@pytest.mark.timeout(900)
def test_month_is_reported_as_it_is_known(tmp_path: Path) -> None:
    roads = Roads(tmp_path)
    roads.bring(plan(SMALL))
    is_as_known(roads.known, SMALL, tmp_path)
    funnel_is_that_of_the_oracle()
    call("rollup", rebuild=True)
    assert checks.differences(checks.COUNTED, roads.known) == {}
    # Where nothing was ever rolled up, the views count the events themselves.
    Cell.objects.all().delete()
    Progress.objects.all().delete()
    assert checks.differences(checks.COUNTED, roads.known) == {}


def funnel_is_that_of_the_oracle() -> None:
    """Compare a funnel with the one that every way to give the month's events to its steps makes."""
    steps = ["contents_viewed|newsletter\\, opened\\|read", "items_added", "order_created|lead_created"]
    over = Range(moment(0) + timedelta(days=3), moment(0) + timedelta(days=20))
    question = Question(over, arguments=steps, options={"window": "9d"})
    answer = funnel(question, BEGIN + timedelta(days=90))
    of = funnels.plan_of(question)
    lines = oracle.lines(list(actors(plan(SMALL), of).values()), of)
    assert [(row[2], row[8]) for row in answer.tables[0].rows] == [(one.actors, one.after_end) for one in lines]
    assert lines[-1].actors > 20
    assert lines[-1].after_end > 0
    what, repeats = answer.tables[1].rows[2]
    assert "a second time" in what
    assert repeats > 100


def actors(planned: Iterator[Planned], of: funnels.Plan) -> dict[Any, list[oracle.Seen]]:
    """The events of each actor, without repetitions, of which the first received is the first in the plan."""
    found: dict[Any, list[oracle.Seen]] = defaultdict(list)
    for event in planned:
        if event.is_erased or event.is_test or event.is_repeat or event.name not in of.names:
            continue
        if event.client is not None:
            found[event.partner, "client", event.client].append((moment(event.at), event.name))
        elif event.session is not None:
            found[event.partner, "session", event.session].append((moment(event.at), event.name))
    return found


@pytest.mark.long
@pytest.mark.timeout(4 * 3_600)
def test_long_month_is_reported_as_it_is_known(tmp_path: Path) -> None:
    """200,000 events on SQLite, and 10,000,000 on PostgreSQL."""
    size = 200_000 if databases.is_sqlite() else 10_000_000
    roads = Roads(tmp_path, is_fast=True)
    roads.bring(plan(size))
    is_as_known(roads.known, size, tmp_path)
