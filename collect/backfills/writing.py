"""Writes the rows of an import to the database, with two threads, in the cheaper way while nothing is repeated."""

import sqlite3
import zlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from django.db import connection, connections

from collect.backfills.walk import commit_without_waiting, making_way
from collect.storage import ingest, repetition, store
from collect.storage.ledger import tally
from collect.storage.ledger.tally import Endpoint
from collect.storage.outcomes import Outcome, Written
from collect.storage.rows import Arrival, Row


class _Writer:
    """Writes one list of arrivals after another: in the cheaper way as long as nothing is repeated."""

    def __init__(self) -> None:
        self._expects_new = True

    def __call__(self, arrivals: Sequence[Arrival]) -> list[Written]:
        with making_way():
            written = self._write(arrivals)
        for arrival, one in zip(arrivals, written, strict=True):
            if one.outcome is Outcome.STORED and not one.again:
                tally.move(arrival.row, Endpoint.IMPORT, Outcome.STORED)
        return written

    def _write(self, arrivals: Sequence[Arrival]) -> list[Written]:
        if self._expects_new and (written := store.write_new(arrivals)) is not None:
            return written
        written = ingest.write(arrivals)
        self._expects_new = all(one.outcome is Outcome.STORED and not one.again for one in written)
        return written


class Foresight:
    """Tells what would become of arrivals, and writes none. What they repeat of each other it knows from a file."""

    def __init__(self) -> None:
        # A temporary database, which SQLite puts on disk when it grows, and deletes in the end.
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, digest TEXT, fingerprint BLOB) WITHOUT ROWID")
        self._seen.execute("CREATE INDEX seen_digest ON seen (digest)")
        self._seen.execute("BEGIN")

    def __call__(self, arrivals: Sequence[Arrival]) -> list[Written]:
        foreseen = store.foresee(arrivals)
        return [self._judged(arrival.row, one) for arrival, one in zip(arrivals, foreseen, strict=True)]

    def _judged(self, row: Row, foreseen: Written) -> Written:
        """Return what would become of the row, of which `foreseen` is what the database alone says.

        As in the database, its idempotency key is looked for first, and then its id.
        """
        digest, fingerprint = store.digest(row), repetition.fingerprint(row)
        first = self._first("digest", digest)
        if first is None and (foreseen.outcome is not Outcome.STORED or foreseen.again):
            return foreseen
        first = first or self._first("id", row.id)
        if first is None:
            self._seen.execute("INSERT INTO seen VALUES (?, ?, ?)", (row.id, digest, fingerprint))
            return Written(Outcome.STORED, row.id)
        id, *rest = first
        if rest != [digest, fingerprint]:
            return Written(Outcome.CONFLICT, id)
        return Written(Outcome.STORED, id, again=True) if id == row.id else Written(Outcome.DUPLICATE, id)

    def _first(self, column: str, value: str) -> tuple[str, str, bytes] | None:
        found = self._seen.execute(f"SELECT * FROM seen WHERE {column} = ?", (value,))  # noqa: S608  # one of our names
        first: tuple[str, str, bytes] | None = found.fetchone()
        return first


class Writers:
    """Threads that write, each with its own connection and its own share of the idempotency keys.

    So two processors of the database work, and of equal events in a file the first is still the one that is stored.
    With `is_resumable` a commit does not wait for the disk. The commit of the next checkpoint does, and what is not on
    disk by then is imported again after a crash of the database.
    """

    def __init__(self, *, dry_run: bool, is_resumable: bool) -> None:
        # SQLite has one writer at a time anyway, and what is foreseen needs to know all that was seen.
        number = 2 if connection.vendor == "postgresql" and not dry_run else 1
        self._threads = [ThreadPoolExecutor(1, "import") for _ in range(number)]
        self._writes = [Foresight() if dry_run else _Writer() for _ in range(number)]
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
