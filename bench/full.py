"""What only shows with much data: ten million rows in the table, and a worker after its millionth event."""

import argparse
import statistics

from bench import copy
from bench.database import Database, Growing
from bench.load import load, wrk
from bench.servers import CONTESTANTS, serve

ROWS = 10_000_000
EARLY, LATE = 100_000, 1_000_000


def measure(
    database: Database, environment: dict[str, str], parsed: argparse.Namespace
) -> tuple[dict[str, float], dict[str, object]]:
    """The ratios, and the figures behind them."""
    memory = _memory(database, environment)
    empty = {name: [load(CONTESTANTS[name], database, environment, parsed.seconds) for _ in range(parsed.rounds)]
             for name in ("collect", "batch")}  # fmt: skip
    database.empty()
    copy.fill(database, ROWS)
    grown = Growing(database.url, database.raw_key)
    full = {name: [load(CONTESTANTS[name], grown, environment, parsed.seconds) for _ in range(parsed.rounds)]
            for name in ("collect", "batch")}  # fmt: skip
    ratios = {f"{name}_full_vs_empty": _median(full[name]) / _median(empty[name]) for name in full}
    ratios["rss_million_vs_hundred_thousand"] = memory["late_mib"] / memory["early_mib"]
    return ratios, {"memory": memory, "empty": empty, "full": full, "rows": ROWS}


def _median(rounds: list[dict[str, float]]) -> float:
    return statistics.median(one["events_per_second"] for one in rounds)


def _memory(database: Database, environment: dict[str, str]) -> dict[str, float]:
    """Resident memory of the largest of the workers when each has served that many events, by single requests."""
    database.empty()
    collect = CONTESTANTS["collect"]
    with serve(collect, environment) as server:
        figures = {}
        for name, events in (("early_mib", EARLY), ("late_mib", LATE)):
            while database.count() < events * len(server.workers()):
                wrk(server.url, collect, database.raw_key, 10)
            figures[name] = server.rss_mib()
    return figures
