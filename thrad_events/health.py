"""Whether the process lives, and whether it should be sent requests."""

import time
from collections.abc import Callable
from typing import Any

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from collect import geo

Check = Callable[[], dict[str, Any]]


def livez(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers; asks nothing of a database."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Each part with its state and its time in milliseconds; 503 while a part that events need is not there."""
    checks = {"database": _timed(_database), "migrations": _timed(_migrations), "geo": _timed(_geo)}
    ready = all(check["status"] != "failed" for check in checks.values())
    return JsonResponse({"status": "ready" if ready else "not ready", "checks": checks}, status=200 if ready else 503)


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
