"""A row that the database refuses for a reason of its own: its neighbours are stored, and nothing waits behind it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from django.db import Error, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from collect.intake.source import Source
from collect.models import Event, Rejection
from collect.storage import drain, ingest, rejections, spool
from collect.storage.bisection import MAX_DOUBTED, bisect
from collect.storage.rows import Arrival
from runtime import outage
from tests.harness import databases, factories
from tests.harness.databases import failure

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "spool"]),
    pytest.mark.usefixtures("own_spool"),
]

Refuse = Callable[..., None]

# What a function or a policy of the operator may raise, or PostgreSQL itself for a row: none is known to be poison.
SQLSTATES = ["P0001", "42501", "42883", "XX000", "0A000", "39000", "2F003", "40001", "55000", "23514"]


@pytest.fixture
def source() -> Source:
    api_key, _ = factories.key()
    return factories.source(api_key)


@pytest.fixture
def refuse() -> Iterator[Refuse]:
    """Let a trigger refuse every event with a name like this; without an SQLSTATE it drops the row in silence."""

    def refuse(name: str, sqlstate: str | None = "P0001") -> None:
        with connection.cursor() as cursor:
            if databases.is_sqlite():
                action = "ABORT, 'cursed'" if sqlstate else "IGNORE"
                cursor.execute(
                    "CREATE TRIGGER curse BEFORE INSERT ON collect_event "
                    f"WHEN NEW.event_name LIKE '{name}' BEGIN SELECT RAISE({action}); END"
                )
                return
            action = f"RAISE EXCEPTION 'cursed' USING ERRCODE = '{sqlstate}'" if sqlstate else "RETURN NULL"
            cursor.execute(
                "CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF NEW.event_name LIKE '{name}' THEN {action}; END IF; RETURN NEW; END $$"
            )
            cursor.execute("CREATE TRIGGER curse BEFORE INSERT ON collect_event FOR EACH ROW EXECUTE FUNCTION curse()")

    yield refuse
    with connection.cursor() as cursor:
        if databases.is_sqlite():
            cursor.execute("DROP TRIGGER IF EXISTS curse")
        else:
            cursor.execute("DROP FUNCTION IF EXISTS curse CASCADE")


def named(source: Source, *names: str) -> list[Arrival]:
    return [factories.arrival(source, event_name=name, event_id=f"{name}-{n}") for n, name in enumerate(names)]


def outcomes(arrivals: Sequence[Arrival]) -> list[str]:
    return [result.outcome for result in ingest.submit(arrivals)]


def stored() -> list[str]:
    return sorted(Event.objects.values_list("event_name", flat=True))


@pytest.mark.parametrize("sqlstate", [*SQLSTATES, None])
def test_neighbours_are_stored_and_the_row_is_kept_apart(source: Source, refuse: Refuse, sqlstate: str | None) -> None:
    refuse("bad", sqlstate)
    # To SQLite every error of a trigger is a constraint's, which makes a rejection; and it has no spool.
    expected = ("rejected" if sqlstate else "unavailable") if databases.is_sqlite() else "spooled"
    assert outcomes(named(source, "a", "bad", "b", "c", "bad", "d")) == [
        "stored", expected, "stored", "stored", expected, "stored",
    ]  # fmt: skip
    assert stored() == ["a", "b", "c", "d"]
    assert not outage.database.is_open
    assert not outage.writing.is_open
    if databases.is_sqlite():
        assert Rejection.objects.count() == (2 if sqlstate else 0)
    else:
        assert spool.status().events == 2


@pytest.mark.postgresql
@pytest.mark.parametrize("sqlstate", [*SQLSTATES, None])
def test_drain_passes_a_refused_row_and_sets_it_aside(source: Source, refuse: Refuse, sqlstate: str | None) -> None:
    refuse("bad", sqlstate)
    spool.append(named(source, "bad", *["good"] * 20, "bad"))
    assert drain.drain() == 20
    assert stored() == ["good"] * 20
    assert (spool.status().events, spool.status().set_aside) == (0, 2)
    ((reason, events),) = spool.reasons()
    assert ("cursed" if sqlstate else "neither new nor found") in reason
    assert events == 2


@pytest.mark.postgresql
def test_event_alone_that_is_refused_is_spooled_and_opens_no_circuit(source: Source, refuse: Refuse) -> None:
    refuse("bad")
    assert outcomes(named(source, "bad")) == ["spooled"]
    assert not outage.database.is_open
    assert not outage.writing.is_open
    assert outcomes(named(source, "good")) == ["stored"]


@pytest.mark.postgresql
def test_good_events_behind_a_whole_step_of_refused_ones_are_stored(source: Source, refuse: Refuse) -> None:
    """With nothing stored in the first steps, some that wait behind them show that the table takes events."""
    refuse("bad")
    spool.append(named(source, *["bad"] * 60, *["good"] * 60))
    assert drain.drain(step=20) == 60
    assert stored() == ["good"] * 60
    assert spool.status().set_aside == 60


@pytest.mark.postgresql
def test_table_that_takes_nothing_sets_nothing_aside(source: Source, refuse: Refuse) -> None:
    refuse("%")
    assert outcomes(named(source, "a", "b")) == ["spooled", "spooled"]
    spool.append(named(source, *["c"] * 40))
    with CaptureQueriesContext(connection) as queries, pytest.raises(Error, match="cursed"):
        drain.drain()
    # Those of the search for one that works, and of the sample: no more, however many wait.
    assert len(queries) < 60
    assert (spool.status().events, spool.status().set_aside) == (42, 0)


@pytest.mark.postgresql
def test_refused_rows_alone_are_set_aside_once_their_worker_has_stored_others(source: Source, refuse: Refuse) -> None:
    refuse("bad")
    drainer = drain.Drainer()
    assert outcomes(named(source, "bad")) == ["spooled"]
    drainer.turn()
    drainer.turn()
    assert spool.status().events == 1
    assert outcomes(named(source, "good")) == ["stored"]
    drainer.turn()
    assert (spool.status().events, spool.status().set_aside) == (0, 1)


@pytest.mark.postgresql
@pytest.mark.parametrize("sqlstate", ["57014", "55P03", "53400", "58030"])
@pytest.mark.parametrize("others", [0, 5])
def test_row_whose_refusal_looks_like_an_outage_is_set_aside_in_the_end(
    source: Source, refuse: Refuse, sqlstate: str, others: int
) -> None:
    refuse("bad", sqlstate)
    drainer = drain.Drainer()
    spool.append(named(source, *["good"] * others, "bad"))
    drainer.turn()
    assert (spool.status().events, spool.status().set_aside) == (others + 1, 0)
    # As far as anybody can tell the database is away; then it takes an event of a sender.
    assert outcomes([factories.arrival(source, event_name="live")]) == ["stored"]
    drainer.turn()
    assert (spool.status().events, spool.status().set_aside) == (0, 1)
    assert Event.objects.count() == others + 1


@pytest.mark.postgresql
def test_lock_on_the_table_sets_nothing_aside(source: Source, refuse: Refuse) -> None:
    """Though the worker stored an event a moment ago: what waits is refused, and so are the others that wait."""
    drainer = drain.Drainer()
    refuse("bad", "55P03")
    spool.append(named(source, "bad", "bad", "bad"))
    drainer.turn()
    assert outcomes([factories.arrival(source, event_name="live")]) == ["stored"]
    drainer.turn()
    assert (spool.status().events, spool.status().set_aside) == (3, 0)


@pytest.mark.postgresql
def test_refused_row_that_cannot_be_spooled_is_unavailable_alone(
    source: Source, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(arrivals: Sequence[Arrival]) -> None:
        raise OperationalError("database or disk is full")

    refuse("bad")
    monkeypatch.setattr(spool, "append", full)
    assert outcomes(named(source, "a", "bad", "b")) == ["stored", "unavailable", "stored"]
    assert stored() == ["a", "b"]


def halves_of(bad: set[int], error: Error, asked: list[int]) -> Callable[[Sequence[int]], list[bool]]:
    def attempt(items: Sequence[int]) -> list[bool]:
        asked.append(len(items))
        if bad.intersection(items):
            raise error
        return [True] * len(items)

    return attempt


def test_bisection_asks_little_where_nothing_works() -> None:
    asked: list[int] = []
    error = failure("P0001")
    with pytest.raises(Error) as caught:
        bisect(range(512), halves_of(set(range(512)), error, asked), lambda _item, _error: False)
    assert caught.value is error
    # Down to the first item, nine halves; then the items beside it until MAX_DOUBTED of them were refused.
    assert asked[:10] == [512, 256, 128, 64, 32, 16, 8, 4, 2, 1]
    assert asked.count(1) == MAX_DOUBTED


def test_bisection_blames_items_only_after_one_has_worked() -> None:
    attempt = halves_of({0, 1, 5}, failure("P0001"), [])
    assert bisect(range(8), attempt, lambda _item, _error: False) == [n not in {0, 1, 5} for n in range(8)]


def test_bisection_ends_at_once_where_the_database_is_away() -> None:
    asked: list[int] = []
    with pytest.raises(Error):
        bisect(range(8), halves_of({3}, failure("57014"), asked), lambda _item, _error: False)
    assert asked == [8]


@contextmanager
def constraint(check: str) -> Iterator[None]:
    """Let new events have to pass this check."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE collect_event ADD CONSTRAINT never CHECK ({check}) NOT VALID")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE collect_event DROP CONSTRAINT never")


@pytest.mark.postgresql
def test_constraint_that_no_event_passes_is_no_fault_of_the_senders(source: Source) -> None:
    with constraint("false"):
        assert outcomes(named(source, "a", "b")) == ["spooled", "spooled"]
        with pytest.raises(Error, match="never"):
            drain.drain()
    assert drain.drain() == 2
    assert stored() == ["a", "b"]
    assert not Rejection.objects.exists()


@pytest.mark.postgresql
def test_reason_of_a_refusal_shows_nothing_of_the_event(
    source: Source, refuse: Refuse, caplog: pytest.LogCaptureFixture
) -> None:
    with constraint("event_name <> 'bad'"):
        spool.append(named(source, "good", "bad"))
        assert drain.drain() == 1
    ((reason, _),) = spool.reasons()
    assert reason == 'new row for relation "collect_event" violates check constraint "never"'
    assert "bad-1" not in caplog.text


def test_rejections_that_cannot_be_kept_fail_nobody_else(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 503 for all would have those that are stored sent again, and stored twice where they have no `event_id`."""

    def fail(_records: object) -> None:
        raise OperationalError("database is locked")

    ingest.submit(named(source, "first"))
    monkeypatch.setattr(rejections, "keep", fail)
    conflicting = factories.arrival(source, event_name="first", event_id="first-0", params={"other": 1})
    expected = "unavailable" if databases.is_sqlite() else "spooled"
    assert outcomes([*named(source, "a"), conflicting, *named(source, "b")]) == ["stored", expected, "stored"]
