"""Whether the process lives, and whether it should be sent requests."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from collect import geo, spool

Check = Callable[[], dict[str, Any]]


def livez(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers; asks nothing of a database."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Each part with its state and its time in milliseconds; 503 while events cannot be made durable.

    Beside PostgreSQL there is the spool: while it takes events, a database that is away is no reason to stop sending.
    """
    database = _timed(_database)
    checks = {"database": database}
    # One wait for a database that does not answer is enough.
    checks["migrations"] = _timed(_migrations) if database["status"] == "ok" else {"status": "unknown"}
    if spool.is_enabled():
        checks["spool"] = _timed(_spool)
    checks["geo"] = _timed(_geo)
    is_stored = database["status"] == checks["migrations"]["status"] == "ok"
    is_spooled = database["status"] == "failed" and checks.get("spool", {}).get("status") == "ok"
    status = "ready" if is_stored else "ready, spooling" if is_spooled else "not ready"
    return JsonResponse({"status": status, "checks": checks}, status=200 if is_stored or is_spooled else 503)


def _timed(check: Check) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        result = check()
    except Error as error:
        # The class only: a driver's message can carry host and user names.
        result = {"status": "failed", "error": type(error).__name__}
    return {**result, "ms": round((time.perf_counter() - start) * 1000, 1)}


def _database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"status": "ok", "vendor": connection.vendor}


def _spool() -> dict[str, Any]:
    """What waits for the database; `full` is when SQLite would refuse another event."""
    found = spool.status()
    age = None if found.oldest is None else round((datetime.now(UTC) - found.oldest).total_seconds(), 1)
    is_full = found.bytes > settings.SPOOL_MAX_BYTES * 0.99
    return {"status": "full" if is_full else "ok", "events": found.events, "oldest_seconds": age, "bytes": found.bytes}


def _migrations() -> dict[str, Any]:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return {"status": "failed", "pending": len(pending)} if pending else {"status": "ok"}


def _geo() -> dict[str, Any]:
    """A missing geo database is worth a warning; events are taken all the same, with null geo."""
    status = geo.status()
    if status.error is not None:
        return {"status": "missing", "error": status.error}
    return {"status": "ok", "built_at": status.built_at}
