"""`python -m bench.rollups`: what it costs to keep the counts by quarter-hours, among ten million events of a month.

Fills a PostgreSQL of its own with events of five partners that differ in all that a bucket is by, counts them anew,
adds 100,000 live ones and counts those, and asks for sums of 30 days, of the buckets through their view, with the
plans, and of the summaries through the planner. Takes half an hour and 15 GB.
"""

import argparse
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import django

from bench.database import Database

STEP = 500_000
LIVE = 100_000
TIMES = 3
# Of what there are many values, few are frequent, as in life: those of `p` are spread by a power law.
_FILL = """
INSERT INTO collect_event (id, received_at, timestamp, partner_id, api_key_id, channel, is_test, event_name, tag_id,
    event_id, session_id, client_id, geo_country, ua_browser, params, extra)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3) || '9'
        || substr(h, 4, 3) || substr(h, 7, 12))::uuid,
    at, at - CASE WHEN p1 < 0.97 THEN p2 * 5 ELSE p2 * 172800 END * interval '1 s', (p3 ^ 2 * 5)::int % 5 + 1, 1,
    'server', p1 > 0.98 AND p1 < 0.985,
    (ARRAY['contents_viewed', 'items_added', 'checkout_started', 'order_created', 'lead_created', 'custom',
        'registration_completed', 'trial_started', 'search', 'share'])[(p4 ^ 3 * 10)::int % 10 + 1],
    'site:shop' || (p5 ^ 2 * 3)::int % 3 || '.example', substr(h, 1, 20), 'session-' || md5((n / 5)::text),
    'client-' || n * 7919 % ({rows} / 20 + 1),
    (ARRAY['US', 'DE', 'GB', 'FR', 'NL', 'CA', 'ES', 'IT', 'PL', 'SE', 'AT', 'CH', 'BE', 'DK', 'NO', 'FI', 'IE', 'PT',
        'CZ', 'JP'])[(p6 ^ 3 * 20)::int % 20 + 1],
    (ARRAY['Chrome', 'Mobile Safari', 'Safari', 'Chrome Mobile', 'Firefox', 'Edge', 'Samsung Internet', 'Opera'])
        [(p7 ^ 2 * 8)::int % 8 + 1],
    CASE WHEN p4 < 0.7 THEN '{{"content_id": "sku_123"}}'::jsonb
        ELSE jsonb_build_object('value', (p2 * 300)::numeric(8, 2), 'currency',
            CASE WHEN p8 < 0.8 THEN 'EUR' ELSE 'USD' END)
        END, '{{}}'
FROM (SELECT n, md5(n::text) AS h, {end} - ({rows} - n) * (interval '{span}' / {rows}) AS at, random() AS p1,
    random() AS p2, random() AS p3, random() AS p4, random() AS p5, random() AS p6, random() AS p7, random() AS p8
    FROM generate_series({first}::bigint, {last}) AS n) AS numbered
"""
# The month ends at a quarter-hour, and the live events come in the next one.
_BORDER = "date_bin('15 minutes', now() - interval '17 minutes', 'epoch')"
_QUESTIONS = {
    "days and names": "SELECT (quarter AT TIME ZONE 'Europe/Berlin')::date, event_name, sum(events) "
    "FROM reporting_quarters WHERE quarter >= now() - interval '30 days' AND NOT is_test GROUP BY 1, 2",
    "countries": "SELECT country, sum(events) FROM reporting_quarters "
    "WHERE quarter >= now() - interval '30 days' AND NOT is_test GROUP BY 1",
    "days and names of a partner": "SELECT (quarter AT TIME ZONE 'Europe/Berlin')::date, event_name, sum(events) "
    "FROM reporting_quarters "
    "WHERE partner_id = 2 AND quarter >= now() - interval '30 days' AND NOT is_test GROUP BY 1, 2",
    "what happened in a day": "SELECT event_name, currency, sum(events), sum(value) FROM reporting_quarters "
    "WHERE quarter >= now() - interval '1 day' AND NOT is_test GROUP BY 1, 2",
}


def fill(database: Database, rows: int) -> None:
    """Store the events of a month in the order of their ids."""
    database.execute("INSERT INTO keys_partner (name, created_at) SELECT 'p' || n, now() FROM generate_series(2, 5) n")
    _store(database, 1, rows, rows, _BORDER, "30 days")
    database.execute("VACUUM ANALYZE")


def add_live(database: Database, rows: int) -> None:
    """Store the events of the quarter-hour after the month."""
    database.execute(
        _FILL.format(
            first=rows + 1,
            last=rows + LIVE,
            rows=rows + LIVE,
            end=f"{_BORDER} + interval '14 minutes'",
            span=f"{14 * (rows + LIVE) // LIVE} minutes",
        )
    )


def _store(database: Database, first: int, last: int, rows: int, end: str, span: str) -> None:
    for start in range(first, last + 1, STEP):
        upto = min(start + STEP - 1, last)
        database.execute(_FILL.format(first=start, last=upto, rows=rows, end=end, span=span))
        print(f"{upto:>12,} events", flush=True)


def measure(database: Database, rows: int) -> None:
    """Count all, count what is new, and ask. Django has been set up by now."""
    from django.db import connection  # noqa: PLC0415  # Django's settings are known only now

    from reporting.rollups import running  # noqa: PLC0415

    def execute(sql: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def count() -> int:
        return sum(step.events for step in running.Rollup().run())

    # The same steps as those of --rebuild, which has old buckets to delete, too, and so takes longer.
    rebuild = _timed(count)
    print(f"rebuild: {rebuild:.1f} s of {rows:,} events", flush=True)
    for table in ("reporting_cell", "reporting_summary"):
        execute(f"VACUUM ANALYZE {table}")
        ((number, size),) = execute(f"SELECT count(*), pg_size_pretty(pg_total_relation_size('{table}')) FROM {table}")
        print(f"{number:>12,} rows, {size}  {table}", flush=True)
    ((before,),) = execute(f"SELECT {_BORDER}")
    execute(f"UPDATE reporting_progress SET until = '{before}'")
    add_live(database, rows)
    _ask(execute, "with 100,000 events in no bucket yet")
    minute = _timed(count)
    print(f"\nthe minute's work for {LIVE:,} live events: {minute:.2f} s, {minute / rebuild:.4f} of a rebuild")
    _ask(execute, "with all in buckets")


def _ask(execute: Callable[[str], list[Any]], when: str) -> None:
    print(f"\n--- {when}")
    for name, sql in _QUESTIONS.items():
        best = min(_timed(lambda sql=sql: execute(sql)) for _ in range(TIMES))  # type: ignore[misc]  # mypy sees no default
        print(f"{best * 1000:>7.0f} ms  {name}", flush=True)
    _ask_planner()
    for name in ("days and names", "countries"):
        print(f"\n{name}:")
        plan = execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {_QUESTIONS[name]}")
        print("\n".join(row[0] for row in plan), flush=True)


def _ask_planner() -> None:
    from collect.storage.marks import beginning  # noqa: PLC0415  # Django's settings are known only now
    from reporting import ranges  # noqa: PLC0415
    from reporting.figures.asked import Asked  # noqa: PLC0415
    from reporting.figures.planner import figures  # noqa: PLC0415
    from reporting.figures.registry import DIMENSIONS  # noqa: PLC0415

    month = ranges.last(timedelta(days=30))
    over = ranges.Range(beginning(month.start), beginning(month.end))
    for name in (None, *(name for name, one in DIMENSIONS.items() if not one.step)):
        by = ("day", name) if name else ("day",)
        asked = Asked(over, ZoneInfo("Europe/Berlin"), metrics=("events", "value"), by=by)
        best = min(_timed(lambda asked=asked: figures(asked)) for _ in range(TIMES))  # type: ignore[misc]  # as above
        print(f"{best * 1000:>7.0f} ms  figures by {' and '.join(by)}", flush=True)


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Fill and measure."""
    parser = argparse.ArgumentParser(prog="bench.rollups", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    # As `manage.py rollup`, which no bound on statements ends.
    with Database.own(STATEMENT_SECONDS="600") as database:
        fill(database, rows)
        django.setup()
        measure(database, rows)


if __name__ == "__main__":
    main()
