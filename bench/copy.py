"""`copy`: psycopg's COPY of the same rows into the same table, by one process: what PostgreSQL can take in at all."""

import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg

from bench.database import Database

COLUMNS = (
    "id, received_at, timestamp, partner_id, api_key_id, channel, is_test, event_name, tag_id, event_id, page_url, "
    "user_agent, session_id, click_id, params, extra, ip_address, geo_country, geo_region, geo_city, geo_lat, geo_lon, "
    "ua_browser, ua_browser_version, ua_os, ua_os_version, ua_device, ua_is_bot"
)
AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)
PARAMS = '{"content_id":"sku_123","quantity":2,"value":58.00,"currency":"USD"}'


def measure(database: Database, rows: int) -> dict[str, float]:
    """Events a second of one COPY of `rows` rows, which are made before the clock starts."""
    database.empty()
    lines = list(_lines(database, rows))
    with psycopg.connect(database.url) as connection, connection.cursor() as cursor:
        start = time.perf_counter()
        _copy(cursor, lines)
        connection.commit()
        seconds = time.perf_counter() - start
    return {"rows": rows, "seconds": seconds, "events_per_second": rows / seconds}


def fill(database: Database, rows: int, order: str = "") -> None:
    """Put `rows` rows into the table, a hundred thousand at a time. Their event_ids are as `BENCH_IDS` says."""
    with psycopg.connect(database.url) as connection, connection.cursor() as cursor:
        for start in range(0, rows, 100_000):
            _copy(cursor, _lines(database, min(100_000, rows - start), order))
            connection.commit()
    database.execute("VACUUM ANALYZE collect_event", "CHECKPOINT")


def _copy(cursor: psycopg.Cursor[Any], lines: Iterable[bytes]) -> None:
    with cursor.copy(f"COPY collect_event ({COLUMNS}) FROM STDIN") as copy:
        for line in lines:
            copy.write(line)


def _lines(database: Database, rows: int, order: str = "") -> Iterator[bytes]:
    """Rows in COPY's text form, with ids in the order of time, and event_ids as `post.lua` makes them."""
    partner, key = database.execute("SELECT partner_id, id FROM keys_apikey LIMIT 1")[0]
    now = datetime.now(UTC)
    milliseconds = int(now.timestamp() * 1000)
    for n in range(rows):
        random = uuid.uuid4()
        id = uuid.UUID(int=milliseconds + n // 10 << 80 | random.int & (1 << 76) - 1 | 7 << 76 | 2 << 62)
        is_random = order == "random" or (order != "ordered" and n % 2 == 0)
        event_id = f"{random.hex[:12]}-{n}" if is_random else f"{milliseconds}-{n:06}"
        yield (
            f"{id}\t{now}\t2025-05-26 16:00:00+00\t{partner}\t{key}\tserver\tf\titems_added\ttag_1\t{event_id}\t"
            f"https://shop.example.com/cart?step=2\t{AGENT}\tsess_abc\tclk_xyz\t{PARAMS}\t{{}}\t127.0.0.1\tDE\t"
            "Land Berlin\tBerlin\t52.52\t13.405\tChrome\t120.0.0.0\tWindows\t10\t\\N\tf\n"
        ).encode()
