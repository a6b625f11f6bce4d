"""`python -m bench.search`: the search among many events, ten million by default, and what its index costs.

Fills a PostgreSQL of its own with a month of five partners' events, writes the whole index, and prints processor times:
on a machine that others use, no other figure means much. Takes a quarter of an hour and 10 GB of disk.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import django

from bench.database import Database

STEP = 500_000
_FILL = """
INSERT INTO collect_event (id, received_at, timestamp, partner_id, api_key_id, channel, is_test, event_name, tag_id,
    event_id, session_id, client_id, click_id, params, extra)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3) || '9'
        || substr(h, 4, 3) || substr(h, 7, 12))::uuid, at, at - interval '2 s', n % 5 + 1, 1, 'server', false,
    CASE WHEN n % 10 = 0 THEN 'order_created' ELSE 'contents_viewed' END, 'site:shop' || n % 7 || '.example',
    substr(h, 1, 20), 'session-' || md5((n / 5)::text), 'client-' || n * 7919 % ({rows} / 20 + 1),
    CASE WHEN n % 3 = 0 THEN 'click-' || substr(h, 5, 20) END,
    CASE WHEN n % 10 = 0 THEN jsonb_build_object('order_id', 'order-' || n, 'value', n % 300)
        ELSE '{{"quantity": 2, "value": 58.00, "currency": "USD"}}'::jsonb END, '{{}}'
FROM (SELECT n, md5(n::text) AS h, now() - interval '1 minute' - ({rows} - n) * (interval '30 days' / {rows}) AS at
    FROM generate_series({first}::bigint, {last}) AS n) AS numbered
"""


def fill(database: Database, rows: int) -> None:
    """Store the events in the order of their ids, spread over the last 30 days."""
    database.execute("INSERT INTO keys_partner (name, created_at) SELECT 'p' || n, now() FROM generate_series(2, 5) n")
    for first in range(1, rows + 1, STEP):
        database.execute(_FILL.format(first=first, last=min(first + STEP - 1, rows), rows=rows))
        print(f"{min(first + STEP - 1, rows):>12,} events", flush=True)
    database.execute("VACUUM ANALYZE collect_event")


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has taken (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(rows: int) -> None:
    """Write the index and search in it. Django has been set up by now."""
    from django.db import connection  # noqa: PLC0415  # Django's settings are known only now

    from collect.models import Event  # noqa: PLC0415
    from collect.search import runs  # noqa: PLC0415
    from reporting.events.finding import Wanted, find  # noqa: PLC0415

    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    before, began = processor_seconds(pid), time.perf_counter()
    while runs.append() or runs.prepend():
        pass
    spent = processor_seconds(pid) - before
    print(f"the index: {spent / rows * 1e6:.1f} µs of PostgreSQL an event, {time.perf_counter() - began:.0f} s")
    middle: Any = Event.objects.order_by("pk")[rows // 3 : rows // 3 + 100]
    values = [value for event in middle for value in (event.event_id, event.session_id, event.client_id)]
    before, own, began = processor_seconds(pid), time.process_time(), time.perf_counter()
    found = sum(bool(find(Wanted(value)).hits) for value in values)
    for name, seconds in (
        ("of PostgreSQL", processor_seconds(pid) - before),
        ("of Python", time.process_time() - own),
        ("in all, as the clock goes", time.perf_counter() - began),
    ):
        print(f"a search: {seconds / len(values) * 1000:.1f} ms {name}")
    print(f"found {found} of {len(values)}")


def main() -> None:
    """Fill, write and search."""
    parser = argparse.ArgumentParser(prog="bench.search", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    with Database.own() as database:
        fill(database, rows)
        django.setup()
        measure(rows)


if __name__ == "__main__":
    main()
