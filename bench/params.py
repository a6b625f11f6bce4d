"""`python -m bench.params`: what an index of `params`, or of the times, costs the insert of an event on PostgreSQL.

Each variant has a database of its own. They take turns, with the server's own statement and groups of 500 events whose
values differ, and what counts is the processor time of PostgreSQL's process: it holds on a busy machine. `--http` puts
load on a real server instead, with each variant in turns. Docs: docs/decisions/0015-indexes-of-params.md.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django

from bench.database import POSTGRES, Database
from bench.load import load
from bench.search import processor_seconds
from bench.servers import CONTESTANTS
from tests.harness.postgres import Postgres

GROUP = 500
# The keys that the measured events have, of which some are indexed.
KEYS = ("value", "content_id", "order_id", "quantity", "coupon")
_PLAIN = "CREATE INDEX ON collect_event ((params -> '{key}')) WHERE params -> '{key}' IS NOT NULL"
_NUMBER = "jsonb_typeof(params -> '{key}') = 'number'"
_TYPED = (
    "CREATE INDEX ON collect_event ("
    "(CASE WHEN jsonb_typeof(params -> '{key}') = 'number' THEN"
    " round(LEAST(GREATEST((params -> '{key}')::numeric, -1e30), 1e30), 10) END),"
    "(CASE WHEN jsonb_typeof(params -> '{key}') IN ('string', 'boolean') THEN left(params ->> '{key}', 200) END)"
    " COLLATE \"C\") WHERE params -> '{key}' IS NOT NULL"
)
# The migrations make it; here each variant has its own.
BARE = "DROP INDEX IF EXISTS event_happened"
_MULTI = "CREATE INDEX ON collect_event USING brin ({}) WITH (autosummarize = on)"
VARIANTS = {
    "none": (),
    "gin": ("CREATE INDEX ON collect_event USING gin (params jsonb_path_ops)",),
    "gin, no pending list": (
        "CREATE INDEX ON collect_event USING gin (params jsonb_path_ops) WITH (fastupdate = off)",
    ),
    "one key as jsonb": (_PLAIN.format(key="value"),),
    "one key, typed": (_TYPED.format(key="value"),),
    "two keys, typed": tuple(_TYPED.format(key=key) for key in KEYS[:2]),
    "five keys, typed": tuple(_TYPED.format(key=key) for key in KEYS),
    "a key that no event has": (_TYPED.format(key="absent"),),
    "brin": (_MULTI.format("timestamp"),),
    "brin, minmax_multi": (_MULTI.format("timestamp timestamptz_minmax_multi_ops"),),
}


def params(n: int) -> dict[str, Any]:
    """Return the parameters of an event as a shop sends them."""
    some: dict[str, Any] = {
        "content_id": f"sku_{random.randrange(20_000)}",
        "quantity": random.randrange(1, 6),
        "value": random.randrange(100, 100_000) / 100,
        "currency": "USD",
        "items": [{"sku": f"sku_{random.randrange(20_000)}", "price": 19.9}, {"sku": "sku_1", "price": 5}],
    }
    if n % 3 == 0:
        some["order_id"] = f"order-{n}-{random.getrandbits(40):x}"
    return some | ({"coupon": f"code{random.randrange(50)}"} if n % 10 == 0 else {})


def groups(number: int) -> Iterator[list[Any]]:
    """Yield groups of arrivals. Django has been set up by now."""
    from collect.storage.rows import Arrival  # noqa: PLC0415  # Django's settings are known only now
    from keys.models import ApiKey  # noqa: PLC0415
    from tests.harness import factories  # noqa: PLC0415

    key = ApiKey.objects.get()
    for _ in range(number):
        now = datetime.now(UTC)
        source = factories.source(key, received_at=now)
        found: list[Arrival] = []
        for n in range(GROUP):
            late = timedelta(hours=random.randrange(48)) if n % 50 == 0 else timedelta(seconds=random.random() * 5)
            sent: dict[str, Any] = {
                "event_name": "items_added",
                "tag_id": "tag_1",
                "event_id": f"{random.getrandbits(64):x}",
            }
            sent |= {"timestamp": round((now - late).timestamp(), 3), "params": params(n)}
            found.append(factories.arrival(source, **sent, client_id=f"client-{random.randrange(10**6)}"))
        yield found


def measure(names: list[str], use: Callable[[str], int], arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Return the microseconds of PostgreSQL an event, of each variant and round."""
    from collect.storage import store  # noqa: PLC0415  # as above

    found = defaultdict(list)
    for number in range(arguments.rounds):
        for name in names if number % 2 else reversed(names):
            pid = use(name)
            warm, *prepared = groups(arguments.groups + 1)
            store.write(warm)
            before, began = processor_seconds(pid), time.perf_counter()
            for group in prepared:
                store.write(group)
            spent, lasted = processor_seconds(pid) - before, time.perf_counter() - began
            events = arguments.groups * GROUP
            found[name].append(spent / events * 1e6)
            print(f"round {number + 1}  {name:<26}{found[name][-1]:>7.1f} µs  {events / lasted:>8,.0f}/s", flush=True)
    return dict(found)


def by_statement(postgres: Postgres, names: list[str], arguments: argparse.Namespace, directory: str) -> None:
    """Measure `store.write`, each variant in a database of its own."""
    environment = {"ENV_FILE": os.devnull, "SECRET_KEY": "of the bench " * 5, "VAR_DIR": directory}
    databases = {name: f"variant{n}" for n, name in enumerate(names)}
    for name, dbname in databases.items():
        made = Database.postgresql(postgres.create(dbname), environment)
        for statement in (BARE, *VARIANTS[name], "VACUUM ANALYZE collect_event"):
            made.execute(statement)
    os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "thrad_events.settings"}
    django.setup()
    from django.db import connection  # noqa: PLC0415  # as above

    def use(name: str) -> int:
        connection.close()
        connection.settings_dict["NAME"] = databases[name]
        connection.ensure_connection()
        return int(connection.connection.info.backend_pid)

    report(measure(names, use, arguments), "µs of PostgreSQL")


def by_http(postgres: Postgres, names: list[str], arguments: argparse.Namespace) -> None:
    """Measure the rates of a real server, in whose database the variants take turns."""
    environment = {"ENV_FILE": os.devnull, "SECRET_KEY": "bench", "LOG_LEVEL": "WARNING"}
    database = Database.postgresql(postgres.create("bench"), environment)
    before = {name for (name,) in database.execute(BARE, _INDEXES)}
    for contestant in ("batch", "collect"):
        found = defaultdict(list)
        for number in range(arguments.rounds):
            for name in names if number % 2 else reversed(names):
                there = {index for (index,) in database.execute(_INDEXES)} - before
                for statement in [f'DROP INDEX "{index}"' for index in there] + list(VARIANTS[name]):
                    database.execute(statement)
                one = load(CONTESTANTS[contestant], database, environment, arguments.seconds)["events_per_second"]
                found[name].append(one)
                print(f"round {number + 1}  {contestant:<9}{name:<26}{one:>8,.0f}/s", flush=True)
        report(dict(found), f"{contestant}, events/s")


_INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename = 'collect_event'"


def report(found: dict[str, list[float]], figure: str) -> None:
    """Print the medians of the rounds, and of the ratios to `none` in the same round, with the middle half of them."""
    print(f"\n{figure:<28}{'median':>10}{'to none':>10}{'quartiles':>18}")
    for name, values in found.items():
        ratios = sorted(value / none for value, none in zip(values, found["none"], strict=True))
        quarter = len(ratios) // 4
        middle = f"{ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f}"
        print(f"{name:<28}{statistics.median(values):>10,.1f}{statistics.median(ratios):>10.3f}{middle:>18}")


def main() -> None:
    """Measure in one of the two ways."""
    parser = argparse.ArgumentParser(prog="bench.params", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--groups", type=int, default=20, help="of 500 events, in a round")
    parser.add_argument("--seconds", type=int, default=8, help="of load in a round, with --http")
    parser.add_argument("--http", action="store_true", help="load a real server, which needs wrk")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=[*VARIANTS])
    arguments = parser.parse_args()
    names = list(dict.fromkeys(["none", *arguments.only]))
    with tempfile.TemporaryDirectory() as directory, Postgres(POSTGRES | {"autovacuum": "off"}) as postgres:
        Path(directory).chmod(0o755)
        if arguments.http:
            by_http(postgres, names, arguments)
        else:
            by_statement(postgres, names, arguments, directory)


if __name__ == "__main__":
    main()
