"""Tells whether the process is alive and whether it should be sent requests, and shows the metrics."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from collect.enrichment import geo
from collect.models import Event
from collect.storage import durability, obstacles, spool
from keys import directory
from runtime import addresses, outage
from runtime.hub import OwnThread
from runtime.metrics import exposition

# From this share of the spool's maximum size on, another event may not fit.
FULL = 0.97

Check = Callable[[], dict[str, Any]]


def livez(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process runs. No database is asked."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Return each part with its state and its time in milliseconds; 503 while events cannot be made durable.

    The spool counts too: while it takes events, a database that does not answer is no reason to stop sending.
    """
    database = _timed(_database)
    checks = {"database": database}
    # One wait for a database that does not answer is enough.
    checks["migrations"] = _timed(_migrations) if database["status"] == "ok" else {"status": "unknown"}
    if spool.is_enabled():
        checks["spool"] = _timed(_spool)
        if database["status"] == "failed":
            checks["keys"] = _timed(_keys)
    checks["geo"] = _timed(_geo)
    is_stored = database["status"] == checks["migrations"]["status"] == "ok"
    if database.get("may_refuse") and "spool" in checks:
        # What the database refuses needs a place in the spool.
        is_stored = is_stored and checks["spool"]["status"] == "ok"
    is_spooled = all(checks.get(name, {}).get("status") == "ok" for name in ("spool", "keys"))
    status = "ready" if is_stored else "ready, spooling" if is_spooled else "not ready"
    return JsonResponse({"status": status, "checks": checks}, status=200 if is_stored or is_spooled else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics in Prometheus's text format, for the networks of METRICS_ALLOW.

    Raises PermissionDenied for any other client. Behind a proxy that is not in TRUSTED_PROXIES everybody would have the
    proxy's address, so nobody is let in.
    """
    address = addresses.of_request(request)
    is_hidden = "HTTP_X_FORWARDED_FOR" in request.META and not settings.TRUSTED_PROXIES
    allowed = addresses.networks(settings.METRICS_ALLOW)
    if address is None or is_hidden or not addresses.is_within(address, allowed):
        raise PermissionDenied
    return HttpResponse(exposition(_Now()), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Now(Collector):
    """The metrics whose values are looked up when they are asked for."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the state of the spool and the age of the geo database, for each if there is one."""
        if spool.is_enabled():
            with suppress(Error):
                found = spool.status()
                yield GaugeMetricFamily("thrad_spool_events", "Events that wait for the database", found.events)
                yield GaugeMetricFamily("thrad_spool_oldest_seconds", "Age of the first of them", _age(found.oldest))
                yield GaugeMetricFamily("thrad_spool_set_aside_events", "Events that it refuses", found.set_aside)
                yield GaugeMetricFamily("thrad_spool_bytes", "Size of the spool", found.bytes)
        status = geo.status()
        failed = float(status.state == "failed")
        yield GaugeMetricFamily("thrad_geo_database_failed", "1 if its file is there and cannot be used", failed)
        if status.built_at is not None:
            yield GaugeMetricFamily("thrad_geo_database_age_seconds", "Since it was built", _age(status.built_at))


def _age(moment: datetime | None) -> float:
    return 0.0 if moment is None else (datetime.now(UTC) - moment).total_seconds()


def _timed(check: Check) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        result = check()
    except Error as error:
        # The class only: a driver's message can carry host and user names.
        result = {"status": "failed", "error": type(error).__name__}
    return {**result, "ms": round((time.perf_counter() - start) * 1000, 1)}


# SQLite waits in C for its lock, and would hold up every other request.
@OwnThread(lambda: connection.vendor == "sqlite")
def _database() -> dict[str, Any]:
    """Return whether the database takes events, as far as can be told without one.

    Raises `django.db.Error` if it does not answer, or is a file of SQLite that is locked or read-only.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        if connection.vendor == "sqlite" and not connection.in_atomic_block:
            # Changes nothing, but needs the right and the lock to write.
            try:
                cursor.execute(f"UPDATE {Event._meta.db_table} SET id = id WHERE 0")  # noqa: S608
            except Error:
                # Opened while the file was read-only, it would stay so when the file is not any more.
                connection.close()
                raise
    found = {"status": "ok", "vendor": connection.vendor}
    if outage.writing.is_open:
        return {**found, "status": "failed", "error": "It took no events a moment ago: the log says why"}
    # The database answers, but may lose what it has committed, or refuse an event. The operator should see that. Events
    # need not go elsewhere while the spool takes what is refused.
    may_refuse = obstacles.problems()
    if warnings := [*durability.problems(), *may_refuse]:
        return {**found, "warnings": warnings, "may_refuse": bool(may_refuse)}
    return found


def _spool() -> dict[str, Any]:
    """Return what waits for the database. The status is `full` while SQLite may refuse another event."""
    found = spool.status()
    is_full = found.bytes > settings.SPOOL_MAX_BYTES * FULL
    return {
        "status": "full" if is_full else "ok",
        "events": found.events,
        "set_aside": found.set_aside,
        "oldest_seconds": round(_age(found.oldest), 1),
        "bytes": found.bytes,
    }


def _keys() -> dict[str, Any]:
    """Return whether this worker can tell who sends without the database; if not, it answers every event 503."""
    if directory.knows_any():
        return {"status": "ok"}
    return {"status": "failed", "error": "No key is known, and the database cannot be asked"}


def _migrations() -> dict[str, Any]:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return {"status": "failed", "pending": len(pending)} if pending else {"status": "ok"}


def _geo() -> dict[str, Any]:
    """Return the state of the geo database. It is never a reason not to be ready: events are taken with null geo.

    `built_at` is of the database in use, which may be an older one than the file that `error` is about.
    """
    status = geo.status()
    found = {"status": status.state, "built_at": status.built_at}
    return found if status.error is None else {**found, "error": status.error}
