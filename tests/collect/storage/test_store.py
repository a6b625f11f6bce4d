"""What the store says of rows that were there already, and that it says it in few statements."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn, cast

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection
from django.db.transaction import atomic
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from collect import assembly
from collect.intake import contract
from collect.intake.source import Source
from collect.models import ErasedEvent, Erasure, Event, Rejection, RejectionTally
from collect.storage import rejections, store
from collect.storage.outcomes import Outcome, Written
from collect.storage.rejections import Record
from collect.storage.rows import Arrival
from keys.models import ApiKey, Partner
from runtime import failures
from tests.harness import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    api_key, _ = factories.key()
    return factories.source(api_key)


def erase(source: Source, arrival: Arrival) -> None:
    erasure = Erasure.objects.create(partner_id=source.partner_id, field="event_id", requested_at=source.received_at)
    ErasedEvent.objects.create(digest=store.digest(arrival.row), event=arrival.row.id, erasure=erasure)


def outcomes(arrivals: Sequence[Arrival]) -> list[Outcome]:
    return [result.outcome for result in store.write(arrivals)]


def test_write_answers_in_the_order_of_the_arrivals(source: Source) -> None:
    known = factories.arrival(source, event_id="a")
    store.write([known])
    arrivals = [
        factories.arrival(source, event_id="b"),
        factories.arrival(source, event_id="a"),
        factories.arrival(source),
        factories.arrival(source, event_id="b"),
        factories.arrival(source, event_id="a", params={"x": 1}),
    ]
    results = store.write(arrivals)
    assert [result.outcome for result in results] == [
        "stored",
        "duplicate",
        "stored",
        "duplicate",
        "conflict",
    ]
    first_b = arrivals[0].row.id
    assert [result.id for result in results] == [
        first_b,
        known.row.id,
        arrivals[2].row.id,
        first_b,
        known.row.id,
    ]
    assert results[4].differing == ("params",)


def test_write_of_the_same_row_again_counts_as_stored(source: Source) -> None:
    """A try whose COMMIT was not heard of is written again: it is neither lost nor called a duplicate of itself."""
    arrivals = [factories.arrival(source), factories.arrival(source, event_id="a")]
    assert outcomes(arrivals) == outcomes(arrivals) == ["stored", "stored"]
    assert Event.objects.count() == 2


@pytest.mark.parametrize(
    ("first", "second", "differing"),
    [
        ({"params": {"a": 1.0, "b": [True]}}, {"params": {"b": [True], "a": 1}}, ()),
        ({"params": {"a": True}}, {"params": {"a": 1}}, ("params",)),
        ({"params": {"a": [1, 2]}}, {"params": {"a": [2, 1]}}, ("params",)),
        ({"params": {}}, {}, ()),
        ({"consent": {}}, {}, ("consent",)),
        ({"params": {"n": 2**64}}, {"params": {"n": 2**64 + 1}}, ("params",)),
        ({"timestamp": 5}, {"timestamp": 5.0}, ()),
        ({"timestamp": 5}, {}, ("timestamp",)),
        ({"zeta": 1}, {"zeta": 2, "click_id": "c"}, ("click_id", "extra")),
        ({"channel": "web"}, {"channel": "app"}, ()),
    ],
)
def test_write_compares_what_the_sender_decides(
    source: Source, first: dict[str, Any], second: dict[str, Any], differing: tuple[str, ...]
) -> None:
    assert source.api_key_id is not None
    later = factories.source(ApiKey.objects.get(pk=source.api_key_id))
    store.write([factories.arrival(source, event_id="a", **first)])
    (result,) = store.write([factories.arrival(later, event_id="a", **second)])
    assert result.differing == differing
    assert result.outcome == (Outcome.CONFLICT if differing else Outcome.DUPLICATE)


def test_write_tells_numbers_apart_that_a_float_cannot(source: Source) -> None:
    bodies = [b'{"event_name":"x","event_id":"a","params":{"n":0.%s}}' % digits for digits in (b"1" * 30, b"1" * 31)]
    built = [assembly.build(contract.decode(body), source) for body in bodies]
    arrivals = [Arrival.of(row, body, "r") for row, body in zip(built, bodies, strict=True)]
    assert outcomes(arrivals) == ["stored", "conflict"]


def test_a_test_event_does_not_swallow_a_live_one(source: Source) -> None:
    test_key, _ = factories.key(Partner.objects.get(pk=source.partner_id), is_test=True)
    store.write([factories.arrival(factories.source(test_key), event_id="a")])
    (result,) = store.write([factories.arrival(source, event_id="a")])
    assert (result.outcome, result.differing) == (Outcome.CONFLICT, ("is_test",))


@pytest.mark.parametrize("repeated", [False, True])
def test_number_of_statements_does_not_grow_with_the_rows(source: Source, repeated: bool) -> None:
    counts = set()
    for size in (1, 10, 500):
        arrivals = [factories.arrival(source, event_id=f"{size}-{n}") for n in range(size)]
        again = [factories.arrival(source, event_id=f"{size}-{n}", click_id="x") for n in range(size)]
        if repeated:
            store.write(arrivals)
        with CaptureQueriesContext(connection) as queries:
            store.write(again if repeated else arrivals)
        # On SQLite they are in a transaction, or a savepoint.
        counts.add(len([query for query in queries if query["sql"].startswith(("INSERT", "SELECT"))]))
    assert counts == ({2} if repeated else {1})


def test_row_that_no_database_takes_is_poison(source: Source) -> None:
    arrival = factories.arrival(source)
    cast(Any, arrival.row).event_name = None
    broken = Arrival.of(arrival.row, b"{}", "r")
    with pytest.raises((DataError, IntegrityError)) as caught, atomic():
        store.write([broken])
    assert failures.is_poison(caught.value)


def test_ledger_keeps_so_many_of_a_key_and_hour_and_counts_the_rest(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "KEPT_PER_KEY_AND_HOUR", 5)
    refusal = contract.poisoned()
    for _ in range(4):
        rejections.keep([Record.of_refusal(refusal, source, b"x" * 100_000, "r")] * 2)
    assert Rejection.objects.count() == 5
    tally = RejectionTally.objects.get()
    assert (tally.seen, tally.kept) == (8, 5)
    rejection = Rejection.objects.first()
    assert rejection is not None
    assert (len(rejection.body), rejection.body_size) == (65_536, 100_000)


def test_stored_row_is_the_document_that_was_encoded(source: Source) -> None:
    arrival = factories.arrival(
        source, event_id="a", timestamp=1748275200, page_url="https://x.example", params={"a": "é"}
    )
    store.write([arrival])
    event = Event.objects.get()
    document = json.loads(arrival.document)
    assert str(event.pk) == document["id"]
    assert event.received_at == source.received_at
    # By value, as a query asks for it: the forms of moments and ids are Django's own on either database.
    assert Event.objects.filter(pk=event.pk, received_at=source.received_at, timestamp=event.timestamp).exists()


@pytest.mark.parametrize("fields", [{"event_id": "ü\x1f1", "tag_id": "täg"}, {"event_id": "1", "tag_id": "a:1"}, {}])
def test_erased_event_does_not_come_back_and_is_told_to_be_there(source: Source, fields: dict[str, Any]) -> None:
    arrival = factories.arrival(source, **fields)
    store.write([arrival])
    erase(source, arrival)
    Event.objects.all().delete()
    other = factories.arrival(source, event_id="other")
    again = factories.arrival(source, **fields) if fields else arrival
    assert store.write([again, other, again]) == [
        Written(Outcome.DUPLICATE, arrival.row.id),
        Written(Outcome.STORED, other.row.id),
        Written(Outcome.DUPLICATE, arrival.row.id),
    ]
    assert [str(event.pk) for event in Event.objects.all()] == [other.row.id]


def test_first_rows_are_found_by_their_own_tag(
    source: Source, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tags = [f"shop {number}" for number in range(250)]
    first = [factories.arrival(source, tag_id=tag, event_id=id) for tag in tags for id in ("1", "2")]
    store.write(first)
    again = [factories.arrival(source, tag_id=tag, event_id=id) for tag in tags for id in ("1", "2")]
    with django_assert_num_queries(3 if connection.vendor == "postgresql" else 5):
        results = store.write(again)
    assert {result.outcome for result in results} == {"duplicate"}
    assert [result.id for result in results] == [arrival.row.id for arrival in first]


def test_write_new_stores_all_or_nothing(source: Source) -> None:
    known, new, erased = (factories.arrival(source, event_id=id) for id in ("known", "new", "erased"))
    poison = factories.arrival(source)
    poison = poison._replace(document=poison.document.replace(b'"is_test":false', b'"is_test":null'))
    assert store.write_new([known]) == [Written(Outcome.STORED, known.row.id)]
    erase(source, erased)
    for unwelcome in (known, erased, poison):
        assert store.write_new([new, unwelcome]) is None
    assert [event.event_id for event in Event.objects.all()] == ["known"]
    assert store.write_new([new, factories.arrival(source)]) is not None
    assert Event.objects.count() == 3


def test_write_new_raises_what_is_no_fault_of_a_row(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_arguments: object) -> NoReturn:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(store, "_document", lost)
    with pytest.raises(OperationalError):
        store.write_new([factories.arrival(source)])
