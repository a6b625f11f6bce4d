"""How the cost of a row grows with the table: by its size, with event_ids in their order and at random.

Every random id changes another page of the index of idempotency keys, which outgrows the memory; ids in their order
change the last one. PostgreSQL's memory, its page cache included, is bounded by a cgroup (Linux, as root), so that this
shows long before a table fills a large machine.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench import copy
from bench.database import POSTGRES, Database, Growing
from bench.load import load
from bench.servers import CONTESTANTS
from tests.harness.postgres import Postgres

SIZES = (1_000_000, 10_000_000, 50_000_000)
ORDERS = ("ordered", "random")
# For PostgreSQL and the cache of its files.
MEMORY_BYTES = 1024**3
SETTINGS = POSTGRES | {"shared_buffers": "256MB", "checkpoint_timeout": "5min", "max_wal_size": "2GB"}
# After so long even a connection that idles has told PostgreSQL what it inserted.
_TOLD_SECONDS = 11
_CGROUPS = Path("/sys/fs/cgroup")


def measure(parsed: argparse.Namespace, environment: dict[str, str]) -> dict[str, list[dict[str, float]]]:
    """Return the figures of each order at each size: PostgreSQL's CPU (µs) and log (bytes) a row, and events/s."""
    found: dict[str, list[dict[str, float]]] = {}
    for order in ORDERS:
        with Postgres(SETTINGS) as postgres, _bounded(postgres.pid):
            database = _Large.postgresql(postgres.create("bench"), environment)
            # Read by `post.lua`.
            os.environ["BENCH_IDS"] = order
            rows = 0
            found[order] = []
            for size in parsed.sizes:
                copy.fill(database, size - rows, order)
                rows = size
                found[order].append({"rows": size, **_at(database, environment, parsed)})
                print(f"{order:<9}" + "".join(f"{name} {value:,.1f}  " for name, value in found[order][-1].items()))
                sys.stdout.flush()
    return found


def _at(database: Database, environment: dict[str, str], parsed: argparse.Namespace) -> dict[str, float]:
    rounds = [_round(database, environment, parsed.seconds) for _ in range(parsed.rounds)]
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def _round(database: Database, environment: dict[str, str], seconds: int) -> dict[str, float]:
    before, rows = _log_bytes(database), database.count()
    figures = load(CONTESTANTS["batch"], database, environment, seconds)
    stored = database.count() - rows
    return {
        "postgres_us_per_event": figures["postgres_us_per_event"],
        "log_bytes_per_event": (_log_bytes(database) - before) / stored,
        "events_per_second": figures["events_per_second"],
    }


def _log_bytes(database: Database) -> int:
    return int(database.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0])


class _Large(Growing):
    """The same, with so many rows that nobody counts them."""

    def count(self) -> int:
        """Return how many rows were inserted, without reading them all."""
        time.sleep(_TOLD_SECONDS)
        counted = self.execute("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'collect_event'")
        return int(counted[0][0])


@contextmanager
def _bounded(pid: int) -> Iterator[None]:
    """Bound the memory of a process and of those that it starts. Raises OSError where this user may make no cgroup."""
    is_old = (_CGROUPS / "memory").is_dir()
    group = (_CGROUPS / "memory" if is_old else _CGROUPS) / f"thrad-bench-{pid}"
    group.mkdir()
    try:
        (group / ("memory.limit_in_bytes" if is_old else "memory.max")).write_text(str(MEMORY_BYTES))
        _move(group, [str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()])
        yield
    finally:
        _move(group.parent, (group / "cgroup.procs").read_text().split())
        group.rmdir()


def _move(group: Path, pids: Sequence[str]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            (group / "cgroup.procs").write_text(pid)
