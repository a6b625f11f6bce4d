"""`python -m bench.backfill`: the backfills over a million events, against PostgreSQL's own COPY and UPDATE.

Prints the figures and writes bench/results-backfill.json. Every figure of ours is that of the whole command, from its
start to its end, and its peak of memory.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from bench.database import POSTGRES, Database
from bench.load import wrk
from bench.servers import CONTESTANTS, ROOT, serve
from tests.harness import mmdb
from tests.harness.postgres import Postgres

RESULTS = Path(__file__).resolve().parent / "results-backfill.json"
AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
    "curl/8.4.0",
]
ENRICHED = (
    "geo_country geo_region geo_city geo_lat geo_lon ua_browser ua_browser_version ua_os ua_os_version ua_device "
    "ua_device_brand ua_device_model ua_is_bot ua_bot_reason"
).split()


def write_events(path: Path, rows: int) -> None:
    """Mixed events of the same pseudo-random choice each time: most as the seed's, some bare, some with odd texts."""
    choice = random.Random(42)
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            event = {
                "event_name": choice.choice(["items_added", "order_created", "contents_viewed"]),
                "tag_id": f"tag_{choice.randrange(5)}",
                "event_id": f"{choice.getrandbits(128):032x}",
                "timestamp": 1748275200 + number / 100,
                "received_at": 1748275201 + number / 100,
                "ip_address": choice.choice(["81.2.69.1", "8.8.8.8", "127.0.0.1", "2001:db8::1"]),
                "page_url": f"https://shop.example.com/cart?step={number % 7}",
                "user_agent": choice.choice(AGENTS),
                "session_id": f"sess_{number // 5}",
                "click_id": "clk_xyz",
                "params": {"content_id": f"sku_{number % 999}", "quantity": 2, "value": 58.00, "currency": "USD"},
            }
            if not number % 10:
                del event["event_id"], event["tag_id"], event["user_agent"]
                event["params"] = {"text": 'odd "quotes" \\ and\nlines ü🎉', "list": [1, None, {"a": 1.50}]}
                event["consent"] = {"ad": bool(number % 20)}
            file.write(json.dumps(event) + "\n")


def command(environment: dict[str, str], *arguments: str) -> dict[str, float]:
    """A command of manage.py: its seconds, and the most memory that it had, in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {process.returncode}:\n{out.decode()[-4000:]}")
    return {"seconds": time.perf_counter() - start, "memory_mib": usage.ru_maxrss / 1024}


def copy_out(database: Database, path: Path) -> dict[str, float]:
    start = time.perf_counter()
    with psycopg.connect(database.url) as connection, connection.cursor() as cursor, path.open("wb") as file:
        with cursor.copy("COPY collect_event TO STDOUT") as blocks:
            for block in blocks:
                file.write(block)
    return {"seconds": time.perf_counter() - start}


def copy_in(database: Database, path: Path) -> dict[str, float]:
    start = time.perf_counter()
    with psycopg.connect(database.url) as connection, connection.cursor() as cursor, path.open("rb") as file:
        with cursor.copy("COPY collect_event FROM STDIN") as copy:
            while block := file.read(256 * 1024):
                copy.write(block)
    return {"seconds": time.perf_counter() - start}


def update_from(database: Database) -> dict[str, float]:
    """One UPDATE … FROM of the columns that an enrichment fills, from a table that has them ready."""
    columns = ", ".join(ENRICHED)
    database.execute(f"CREATE TABLE enriched AS SELECT id, {columns} FROM collect_event", "ANALYZE enriched")
    forget_enrichment(database)
    assigned = ", ".join(f"{column} = enriched.{column}" for column in ENRICHED)
    start = time.perf_counter()
    database.execute(f"UPDATE collect_event SET {assigned} FROM enriched WHERE enriched.id = collect_event.id")
    seconds = time.perf_counter() - start
    database.execute("DROP TABLE enriched")
    return {"seconds": seconds}


def forget_enrichment(database: Database) -> None:
    """Make every row differ from what its enrichment would be, and the table as after a long life: vacuumed."""
    database.execute(
        f"UPDATE collect_event SET {', '.join(f'{column} = NULL' for column in ENRICHED)}",
        "VACUUM ANALYZE collect_event",
        "CHECKPOINT",
    )


def round_of(
    number: int, database: Database, environment: dict[str, str], files: Path, rows: int
) -> dict[str, dict[str, float]]:
    """Each of ours beside its peer, on the same rows."""
    found: dict[str, dict[str, float]] = {}
    events, plain = files / "events.ndjson", files / "events.copy"
    # To let go of the blocks of an older file costs as much as to write some of a new one.
    for path in (plain, files / "first.ndjson", files / "second.ndjson"):
        path.unlink(missing_ok=True)
    database.empty()
    found["import"] = command(environment, "import_events", str(events), "--partner", "bench", "--create-partner")
    database.execute("VACUUM ANALYZE collect_event", "CHECKPOINT")
    found["copy out"] = copy_out(database, plain)
    found["export"] = command(environment, "export_events", "--out", str(files / "first.ndjson"))
    found["update from"] = update_from(database)
    forget_enrichment(database)
    found["reenrich"] = command(environment, "reenrich_events")
    database.empty()
    found["copy in"] = copy_in(database, plain)
    database.empty()
    found["import of the export"] = command(environment, "import_events", str(files / "first.ndjson"))
    command(environment, "export_events", "--out", str(files / "second.ndjson"))
    equal = (
        subprocess.run(["cmp", str(files / "first.ndjson"), str(files / "second.ndjson")], check=False).returncode == 0
    )
    found["round trip"] = {"equal": equal, "bytes": (files / "second.ndjson").stat().st_size}
    for name, one in found.items():
        if "seconds" in one:
            one["events_per_second"] = rows / one["seconds"]
            memory = f"{one['memory_mib']:>8.0f} MiB" if "memory_mib" in one else ""
            print(f"round {number}  {name:<22}{one['events_per_second']:>10,.0f} events/s{memory}", flush=True)
    print(f"round {number}  export, import, export: {'equal' if equal else 'DIFFERENT'}", flush=True)
    return found


def beside(database: Database, environment: dict[str, str], files: Path) -> dict[str, float]:
    """What collect takes alone, and while an import of the million runs. Raises RuntimeError where one is no 2xx."""
    collect = CONTESTANTS["collect"]
    database.empty()
    rates = {}
    with serve(collect, environment) as server:
        wrk(server.url, collect, database.raw_key, 2)
        for when in ("alone", "beside"):
            importing = None
            if when == "beside":
                importing = threading.Thread(
                    target=command,
                    args=(
                        environment,
                        "import_events",
                        str(files / "events.ndjson"),
                        "--partner",
                        "b",
                        "--create-partner",
                    ),
                )
                importing.start()
                time.sleep(3)
            result = wrk(server.url, collect, database.raw_key, 15)
            if result["errors"]:
                raise RuntimeError(f"{result['errors']:.0f} answers {when} were not 2xx")
            rates[when] = result["requests"] / result["seconds"]
            if importing is not None:
                rates["import_was_running"] = importing.is_alive()
                importing.join()
    rates["ratio"] = rates["beside"] / rates["alone"]
    print(
        f"collect alone {rates['alone']:,.0f}, beside an import {rates['beside']:,.0f}: {rates['ratio']:.2f}",
        flush=True,
    )
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, Postgres(POSTGRES) as postgres:
        files = Path(directory)
        city = mmdb.write_city(files / "city.mmdb")
        environment = {"ENV_FILE": "/dev/null", "SECRET_KEY": "of the bench " * 5, "GEOIP_PATH": str(city)}
        environment |= {"VAR_DIR": directory, "LOG_LEVEL": "WARNING"}
        database = Database.postgresql(postgres.create("bench"), environment)
        write_events(files / "events.ndjson", arguments.rows)
        rounds = [
            round_of(number + 1, database, environment, files, arguments.rows) for number in range(arguments.rounds)
        ]
        live = beside(database, environment, files)

    def rate(name: str) -> float:
        return statistics.median(one[name]["events_per_second"] for one in rounds)

    ratios = {
        "import_vs_copy": rate("import") / rate("copy in"),
        "import_of_export_vs_copy": rate("import of the export") / rate("copy in"),
        "export_vs_copy": rate("export") / rate("copy out"),
        "reenrich_vs_update": rate("reenrich") / rate("update from"),
        "collect_beside_import": live["ratio"],
        "memory_mib": max(one["memory_mib"] for found in rounds for one in found.values() if "memory_mib" in one),
        "round_trips_equal": all(one["round trip"]["equal"] for one in rounds),
    }
    RESULTS.write_text(json.dumps({"rows": arguments.rows, "ratios": ratios, "rounds": rounds, "live": live}, indent=1))
    for name, value in ratios.items():
        print(f"{name:<28}{value:>10.2f}" if isinstance(value, float) else f"{name:<28}{value!s:>10}")


if __name__ == "__main__":
    main()
