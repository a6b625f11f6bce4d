"""The database there and answering, and refusing something: nobody else's events wait for it."""

import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.faults.house import House, until
from tests.harness.server import ROOT

ROUNDS, KEYS, CONNECTIONS = 6, 300, 8


def batch(*events: dict[str, Any]) -> bytes:
    return json.dumps([{"event_name": "x", **event} for event in events]).encode()


def test_same_events_sent_at_once_in_opposite_orders_are_no_outage(house: House) -> None:
    """As by two machines of one sender that both send again what they got no answer to."""

    def send(place: tuple[int, int]) -> Counter[str]:
        number, connection = place
        events = [{"event_id": f"{number}-{n}"} for n in range(KEYS)]
        status, _, body = house.post(batch(*(reversed(events) if connection % 2 else events)), "/api/collect/batch")
        assert status == 200, body
        answer = json.loads(body)
        return Counter({name: answer[name] for name in ("stored", "duplicates", "spooled")})

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        answers = sum(threads.map(send, itertools.product(range(ROUNDS), range(CONNECTIONS))), Counter())
    assert answers == {"stored": ROUNDS * KEYS, "duplicates": ROUNDS * KEYS * (CONNECTIONS - 1)}
    assert "does not answer" not in house.log
    assert house.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]


@contextmanager
def curse(house: House, name: str) -> Iterator[None]:
    """Let a trigger of the operator refuse the events of this name."""
    with psycopg.connect(house.url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NEW.event_name = '{name}' THEN RAISE EXCEPTION 'cursed'; END IF; RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER curse BEFORE INSERT ON collect_event FOR EACH ROW EXECUTE FUNCTION curse()")
        try:
            yield
        finally:
            connection.execute("DROP FUNCTION curse CASCADE")


def test_events_that_a_trigger_refuses_hold_up_nobody_and_are_kept(house: House) -> None:
    with curse(house, "cursed"):
        status, headers, _ = house.post({"event_name": "cursed", "event_id": "alone"})
        assert (status, headers["X-Event-Outcome"]) == (204, "spooled")
        for number in range(20):
            status, headers, _ = house.post({"event_name": "innocent", "event_id": f"i{number}"})
            assert (status, headers["X-Event-Outcome"]) == (204, "stored")
        _, _, body = house.post(
            batch({"event_id": "b0"}, {"event_name": "cursed", "event_id": "b1"}, {"event_id": "b2"}),
            "/api/collect/batch",
        )
        assert json.loads(body) == {"stored": 2, "duplicates": 0, "conflicts": 0, "spooled": 1, "rejected": []}
        # What shows that the table takes events is the traffic of the worker that drains.
        more = itertools.count()

        def is_set_aside() -> bool:
            house.post({"event_name": "innocent", "event_id": f"more-{next(more)}"})
            spool = house.get("/readyz")[1]["checks"]["spool"]
            return (spool["events"], spool["set_aside"]) == (0, 2)

        until(is_set_aside, 60, "the refused events are set aside")
        checks = house.get("/readyz")[1]["checks"]
        assert checks["database"]["warnings"] == [
            "the trigger or rule curse on the table collect_event may refuse or change events"
        ]
        assert "does not answer" not in house.log
    subprocess.run(
        [sys.executable, "manage.py", "drain_spool", "--set-aside"],
        cwd=ROOT,
        env=house.environment_of_commands,
        check=True,
    )
    assert house.rows("SELECT event_id FROM collect_event WHERE event_name = 'cursed' ORDER BY 1") == [
        ("alone",),
        ("b1",),
    ]
