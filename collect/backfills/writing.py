"""Writes the rows of an import to the database, with two threads, in the cheaper way while nothing is repeated."""

import sqlite3
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from django.db import connection, connections

from collect.backfills.walk import SQLITE_PAUSE_SECONDS, commit_without_waiting
from collect.storage import ingest, repetition, store
from collect.storage.outcomes import Outcome, Written
from collect.storage.rows import Arrival, Row


class _Writer:
    """Writes one list of arrivals after another: in the cheaper way as long as nothing is repeated."""

    def __init__(self) -> None:
        self._expects_new = True

    def __call__(self, arrivals: Sequence[Arrival]) -> list[Written]:
        if connection.vendor == "sqlite":
            time.sleep(SQLITE_PAUSE_SECONDS)
        if self._expects_new and (written := store.write_new(arrivals)) is not None:
            return written
        written = ingest.write(arrivals)
        self._expects_new = all(one.outcome is Outcome.STORED and not one.again for one in written)
        return written


class _Foresight:
    """Tells what would become of arrivals, and writes none. What they repeat of each other is known from a file."""

    def __init__(self) -> None:
        # A temporary database, which SQLite puts on disk when it grows, and deletes in the end.
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute("CREATE TABLE seen (digest TEXT PRIMARY KEY, id TEXT, fingerprint INTEGER) WITHOUT ROWID")
        self._seen.execute("BEGIN")

    def __call__(self, arrivals: Sequence[Arrival]) -> list[Written]:
        foreseen = store.foresee(arrivals)
        return [
            self._among_themselves(arrival.row) if one.outcome is Outcome.STORED else one
            for arrival, one in zip(arrivals, foreseen, strict=True)
        ]

    def _among_themselves(self, row: Row) -> Written:
        if row.event_id is None:
            return Written(Outcome.STORED, row.id)
        digest, fingerprint = store.digest(row), repetition.fingerprint(row)
        new = self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (digest, row.id, fingerprint))
        if new.rowcount:
            return Written(Outcome.STORED, row.id)
        ((id, first),) = self._seen.execute("SELECT id, fingerprint FROM seen WHERE digest = ?", (digest,))
        return Written(Outcome.DUPLICATE if first == fingerprint else Outcome.CONFLICT, id)


class Writers:
    """Threads that write, each with its own connection and its own share of the idempotency keys.

    So two processors of the database work, and of equal events in a file the first is still the one that is stored.
    With `is_resumable` a commit does not wait for the disk. The commit of the next checkpoint does, and what is not on
    disk by then is imported again after a crash of the database.
    """

    def __init__(self, *, dry_run: bool, is_resumable: bool) -> None:
        # SQLite has one writer at a time anyway.
        number = 2 if connection.vendor == "postgresql" else 1
        self._threads = [ThreadPoolExecutor(1, "import") for _ in range(number)]
        self._writes = [_Foresight() if dry_run else _Writer() for _ in range(number)]
        if is_resumable:
            for thread in self._threads:
                thread.submit(commit_without_waiting, "SESSION").result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for thread in self._threads:
            thread.submit(connections.close_all)
            thread.shutdown()

    def submit(self, arrivals: Sequence[Arrival]) -> list[tuple[list[int], Future[list[Written]]]]:
        """Begin to write; return for each thread the indexes of its arrivals, and the future of what became of them."""
        parts: list[list[int]] = [[] for _ in self._threads]
        for index, arrival in enumerate(arrivals):
            key = arrival.row.event_id or arrival.row.id
            parts[zlib.crc32(key.encode()) % len(parts)].append(index)
        return [
            (part, thread.submit(write, [arrivals[index] for index in part]))
            for part, thread, write in zip(parts, self._threads, self._writes, strict=True)
            if part
        ]
