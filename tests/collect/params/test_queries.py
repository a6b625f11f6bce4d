"""The methods that narrow events down, and what they say to arguments that cannot be meant."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from collect.models import Event
from collect.params import upkeep
from collect.params.paths import BadQuery
from collect.storage import store
from keys.models import Partner
from tests.harness import factories, plans

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def keep(partner: str, *, received_at: datetime = NOON, is_test: bool = False, **sent: Any) -> str:
    """Store an event; its id."""
    key, _ = factories.key(factories.partner(partner), is_test=is_test)
    arrival = factories.arrival(factories.source(key, received_at=received_at), **{"timestamp": 1_700_000_000} | sent)
    store.write([arrival])
    return arrival.row.id


def ids(events: Any) -> set[str]:
    return {str(event.pk) for event in events}


def test_manager_keeps_what_it_had() -> None:
    kept = keep("Acme")
    assert Event.objects.get().pk == Event.objects.all()[0].pk
    assert ids(Event.objects.filter(channel="server")) == {kept}
    assert Event.objects.count() == 1
    assert ids(Partner.objects.get(name="Acme").events.named("custom")) == {kept}


def test_reportable_leaves_out_events_of_test_keys() -> None:
    live = keep("Acme")
    keep("Acme", is_test=True)
    assert ids(Event.objects.reportable()) == {live}


def test_named_takes_several_names() -> None:
    first, second, _ = (keep("Acme", event_name=name) for name in ("order_created", "lead_created", "other"))
    assert ids(Event.objects.named("order_created", "lead_created")) == {first, second}
    assert ids(Event.objects.named("order_created")) == {first}


def test_of_takes_a_partner_or_its_name() -> None:
    ours = keep("Acme")
    keep("Other")
    assert ids(Event.objects.of("Acme")) == ids(Event.objects.of(Partner.objects.get(name="Acme"))) == {ours}


def test_between_has_its_start_and_not_its_end() -> None:
    first, _, _ = (keep("Acme", received_at=NOON + at) for at in (timedelta(), HOUR, -timedelta(microseconds=1)))
    assert ids(Event.objects.between(NOON, NOON + HOUR)) == {first}
    assert ids(Event.objects.between(NOON, NOON)) == set()


def test_happened_between_goes_by_the_senders_time() -> None:
    said = int(NOON.timestamp())
    first, _, _ = (keep("Acme", timestamp=at) for at in (said, said + 3600, said - 0.001))
    assert ids(Event.objects.happened_between(NOON, NOON + HOUR)) == {first}


def test_methods_follow_each_other_in_any_order() -> None:
    meant = keep("Acme", event_name="order_created", params={"value": 60})
    keep("Acme", event_name="order_created", params={"value": 40})
    keep("Other", event_name="order_created", params={"value": 60})
    keep("Acme", event_name="order_created", params={"value": 60}, is_test=True)
    found = Event.objects.where_param("value", gte=50).of("Acme").between(NOON, NOON + HOUR).named("order_created")
    assert ids(found.reportable()) == {meant}
    assert found.count() == 2
    assert ids(Event.objects.reportable().where_param("value", lt=50).where_param("value", gte=40)) != {meant}


def test_of_and_between_read_the_index_of_arrivals() -> None:
    key, _ = factories.issue()
    plans.fill(key, 8_000, newest=NOON)
    second = timedelta(seconds=1)
    with plans.captured() as queries:
        assert Event.objects.of(key.partner).between(NOON - second, NOON).count() == 1_000
    # A bitmap is read from the index, and then the rows; and the partners, those of earlier tests among them.
    (plan,) = plans.assert_bounded(queries, 2_500)
    assert "event_arrival" in plan.text


def test_between_reads_the_index_of_arrivals_for_each_partner() -> None:
    factories.partner("Other")
    plans.fill(factories.issue()[0], 8_000, newest=NOON)
    second = timedelta(seconds=1)
    with plans.captured() as queries:
        assert Event.objects.between(NOON - second, NOON).count() == 1_000
    (plan,) = plans.assert_bounded(queries, 2_500)
    assert "event_arrival" in plan.text


@pytest.mark.postgresql
def test_happened_between_reads_the_summaries_of_the_table() -> None:
    """Each covers a megabyte, of which some events are read in vain."""
    plans.fill(factories.issue()[0], 20_000, newest=NOON)
    upkeep.run(["SELECT brin_summarize_new_values('event_happened')"])
    second = timedelta(seconds=1)
    with plans.captured() as queries:
        assert Event.objects.happened_between(NOON - 3 * second, NOON - 2 * second).count() == 1_000
    (plan,) = [plans.explain(query) for query in queries]
    assert "event_happened" in plan.text
    assert not plan.scanned


BAD = {
    "names": Event.objects.named,
    "names: (1,)": lambda: Event.objects.named(1),  # type: ignore[arg-type]
    "partner: 7": lambda: Event.objects.of(7),  # type: ignore[arg-type]
    "partner: There is no partner 'Acm'": lambda: Event.objects.of("Acm"),
    "start: datetime.datetime(2026": lambda: Event.objects.between(datetime(2026, 1, 1), NOON),
    "end: datetime.date(": lambda: Event.objects.between(NOON, date(2026, 1, 1)),  # type: ignore[arg-type]
    "end: 2026-11-20 12:00:00+00:00 is before": lambda: Event.objects.happened_between(NOON + HOUR, NOON),
}
BAD_PARAMS: list[tuple[str, Any, dict[str, Any]]] = [
    ("where_param: no operator; there are eq, gt,", "value", {}),
    ("equals: there is no such operator; there are eq, gt", "value", {"equals": 1}),
    ("path: '' has an empty part", "", {"eq": 1}),
    ("path: 'a..b' has an empty part", "a..b", {"eq": 1}),
    ("path: () is none", (), {"eq": 1}),
    ("path: 7 is none", 7, {"eq": 1}),
    ("path: None is none", None, {"eq": 1}),
    ("path: -1 is neither a key", ("items", -1), {"eq": 1}),
    ("path: True is neither a key", ("items", True), {"eq": 1}),
    ("path: 1.5 is neither a key", ("items", 1.5), {"eq": 1}),
    ("path: no event has U+0000", "a\0", {"eq": 1}),
    ("eq: None is no value; ask with is_null=True", "value", {"eq": None}),
    ("eq: list is neither a text nor a number", "value", {"eq": [1]}),
    ("gte: datetime is neither a text nor a number", "value", {"gte": NOON}),
    ("gt: True and False have no order", "value", {"gt": True}),
    ("lte: True and False have no order", "value", {"lte": False}),
    ("eq: nan is no number of JSON", "value", {"eq": float("nan")}),
    ("lt: inf is no number of JSON", "value", {"lt": float("inf")}),
    ("eq: Decimal('sNaN') is no number of JSON", "value", {"eq": Decimal("sNaN")}),
    ("gt: no event has a number of more than 16,000 digits", "value", {"gt": Decimal("1e16001")}),
    ("gt: no event has a number of more than 16,000 digits", "value", {"gt": Decimal("1e-16001")}),
    ("eq: no event has U+0000", "value", {"eq": "a\0b"}),
    ("contains: no event has U+0000", "value", {"contains": "\ud800"}),
    ("exists: 1 is neither True nor False", "value", {"exists": 1}),
    ("is_null: 'yes' is neither True nor False", "value", {"is_null": "yes"}),
]


@pytest.mark.parametrize("said", BAD)
def test_argument_that_cannot_be_meant_is_named(said: str) -> None:
    with pytest.raises(BadQuery) as caught:
        BAD[said]()  # type: ignore[no-untyped-call]
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(("said", "path", "conditions"), BAD_PARAMS)
def test_condition_that_cannot_be_meant_is_named(said: str, path: Any, conditions: dict[str, Any]) -> None:
    with pytest.raises(BadQuery) as caught:
        Event.objects.where_param(path, **conditions)
    assert str(caught.value).startswith(said)
