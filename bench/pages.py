"""`python -m bench.pages`: the pages of the console among many events, with their queries.

Fills a PostgreSQL of its own with ten million events of a month and the counts of the ledger or, with `--sqlite`, a
file with the 300,000 of the demo; opens each page three times, and prints the best time of each, its longest query,
and the plans of the three longest of all. PostgreSQL takes a quarter of an hour and 10 GB of disk.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import django

from bench.database import POSTGRES, Database
from bench.search import fill
from tests.harness.collector import manage
from tests.harness.postgres import Postgres

TIMES = 3
# What a server has counted: two days by the minute, and what is older by the hour.
_LEDGER = """
INSERT INTO collect_ledgerentry (start, minutes, partner_id, api_key_id, is_test, endpoint, outcome, code, events,
    requests, bytes)
SELECT start, minutes, partner_id, api_key_id, false, 'collect', outcome, '', count(*), count(*), count(*) * 300
FROM (SELECT CASE WHEN received_at < now() - interval '2 days' THEN date_trunc('hour', received_at)
             ELSE date_trunc('minute', received_at) END AS start,
             CASE WHEN received_at < now() - interval '2 days' THEN 60 ELSE 1 END AS minutes, partner_id,
             CASE WHEN partner_id = 1 THEN api_key_id END AS api_key_id
      FROM collect_event) AS counted, (VALUES ('received'), ('stored')) AS outcomes (outcome)
GROUP BY start, minutes, partner_id, api_key_id, outcome
"""
_PAGES = (
    *("", "ledger/", "ledger/?range=7d&kind=all", "ledger/?range=30d", "ledger/?partner=2&range=7d"),
    *("live/", "live/?range=24h", "live/?partner=2", "live/?name=rare", "live/?partner=3&tag=none"),
    *("live/?kind=live&range=24h", "live/?range=24h&currency=XXX"),
    *(
        "find/?q=order-5000000",
        "find/?q={event}",
        "rejections/?range=30d",
        "partners/",
        "partners/2/",
        "partners/2/?range=7d",
    ),
    *("collect/event/", "collect/event/{event}/change/", "collect/rejection/", "keys/apikey/", "keys/apikey/1/change/"),
    *("reports/", "reports/daily/", "reports/daily/?by=country", "reports/attribution/", "reports/late/"),
    *(
        "reports/daily/?clients=no",
        "reports/daily/?clients=no&by=country&step=hour",
        "reports/daily/?clients=no&by=tag",
    ),
    *(
        "reports/daily/?clients=no&filter=event_name+is+custom",
        "reports/daily/?clients=no&tz=Asia/Kathmandu&by=browser",
    ),
    "reports/funnel/?steps=order_created&steps=custom",
    *("keys/keychange/", "keys/partner/", "overview.json", "live.json?range=24h", "ledger.json?range=30d"),
)


class Ran(NamedTuple):
    """A query that a page has run, and how long it took."""

    seconds: float
    sql: str
    params: Any
    page: str


def walk() -> None:
    """Open the pages as an operator does. Django has been set up by now."""
    from django.contrib.auth.models import User  # noqa: PLC0415  # Django's settings are known only now
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from collect.models import Event  # noqa: PLC0415

    client = Client(SERVER_NAME="localhost")
    User.objects.create_superuser("bench", password="of the bench")
    assert client.post("/admin/login/", {"username": "bench", "password": "of the bench"}).status_code == 302
    event = Event.objects.order_by("-pk")[1_000].pk
    longest: list[Ran] = []
    for page in _PAGES:
        ran: list[Ran] = []
        best = float("inf")
        for _ in range(TIMES):
            began = time.perf_counter()
            with connection.execute_wrapper(_watch(ran, page)):
                answer = client.get(f"/admin/{page.format(event=event)}")
            best = min(best, time.perf_counter() - began)
            assert answer.status_code == 200, (page, answer.status_code)
        slowest = max(ran)
        longest.append(slowest)
        print(f"{best * 1000:>7.0f} ms  longest query {slowest.seconds * 1000:>5.0f} ms  /admin/{page}", flush=True)
    for one in sorted(longest, reverse=True)[:TIMES]:
        print(f"\n{one.seconds * 1000:.0f} ms, of /admin/{one.page}\n{one.sql[:600]}")
        with connection.cursor() as cursor:
            how = "(ANALYZE, BUFFERS, COSTS OFF)" if connection.vendor == "postgresql" else "QUERY PLAN"
            cursor.execute(f"EXPLAIN {how} {one.sql}", one.params)
            print("\n".join(str(row[-1]) for row in cursor.fetchall()))


def _watch(ran: list[Ran], page: str) -> Callable[..., Any]:
    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            if sql.lstrip().startswith(("SELECT", "WITH")):
                ran.append(Ran(time.perf_counter() - began, sql, params, page))

    return watch


def main() -> None:
    """Fill and walk."""
    parser = argparse.ArgumentParser(prog="bench.pages", description=__doc__)
    parser.add_argument("--rows", type=int, help="events: 10,000,000, or 300,000 with --sqlite")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        environment = {"ENV_FILE": os.devnull, "SECRET_KEY": "of the bench " * 5, "VAR_DIR": directory}
        if arguments.sqlite:
            Database.sqlite(Path(directory) / "events.sqlite3", environment)
            os.environ |= environment
            manage(environment["DATABASE_URL"], "seed_demo", "--events", str(arguments.rows or 300_000), "--force")
        else:
            database = Database.postgresql(stack.enter_context(Postgres(POSTGRES)).create("bench"), environment)
            fill(database, arguments.rows or 10_000_000)
            database.execute(_LEDGER)
            os.environ |= environment
            manage(environment["DATABASE_URL"], "rollup")
            database.execute("ANALYZE")
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "thrad_events.settings", "LOG_LEVEL": "ERROR"}
        django.setup()
        walk()


if __name__ == "__main__":
    main()
