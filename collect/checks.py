"""System checks: they tell, before the server starts, what would make it keep less than it promises."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import Error as DatabaseError
from django.db import connection

from collect.enrichment import geo
from collect.storage import durability, obstacles
from runtime import failures
from runtime.display import day
from runtime.postgresql.pooling import is_by_transaction

OLD = timedelta(days=60)


# At deployment alone: every command would say it before its own output, and a server without places is a choice.
@register(deploy=True)
def geo_database(**_: Any) -> Sequence[CheckMessage]:
    """Return collect.W001 without a City database, collect.W002 with an old one."""
    status = geo.status()
    hint = "Run manage.py update_geoip, and once a month from a scheduler; without a network, with --file."
    if status.error is not None:
        return [Warning(f"Geo columns stay null: {status.path}: {status.error}", hint=hint, id="collect.W001")]
    if status.built_at is not None and datetime.now(UTC) - status.built_at > OLD:
        return [Warning(f"The geo database was built on {day(status.built_at)}", hint=hint, id="collect.W002")]
    return []


@register(Tags.database)
def storage(databases: Collection[str] | None = None, **_: Any) -> Sequence[CheckMessage]:
    """Return warnings of a database that may not store every event, and keep it.

    collect.W004 if it may lose what it has committed, collect.W006 if something in it may refuse or change an event,
    collect.W005 if it cannot be asked.
    """
    if "default" not in (databases or ()):
        return []
    lost = "Every 204 says that the event is on disk: docs/operations.md, PostgreSQL."
    refused = "Events that it refuses are spooled and then set aside: docs/operations.md, What happens when."
    try:
        return [
            *(Warning(problem, hint=lost, id="collect.W004") for problem in durability.problems()),
            *(Warning(problem, hint=refused, id="collect.W006") for problem in obstacles.problems()),
        ]
    except DatabaseError as error:
        told, *hint = (failures.in_words(error) or failures.reason(error)).splitlines()
        message = f"It is not known whether every event is stored. {told}"
        return [Warning(message, hint=" ".join(hint) or None, id="collect.W005")]


@register(Tags.database)
def pooling(databases: Collection[str] | None = None, **_: Any) -> Sequence[CheckMessage]:
    """Return collect.E006 if a pooler hands out the connections of PostgreSQL by the transaction.

    Return nothing if the database cannot be asked: collect.W005 says so.
    """
    if "default" not in (databases or ()) or connection.vendor != "postgresql":
        return []
    with suppress(DatabaseError):
        if is_by_transaction(connection):
            return [
                Error(
                    "A pooler in front of PostgreSQL hands out its connections by the transaction",
                    hint="Set pool_mode = session for this database in PgBouncer: docs/operations.md, PgBouncer.",
                    id="collect.E006",
                )
            ]
    return []


@register(deploy=True)
def database_at_deployment(databases: Collection[str] | None = None, **options: Any) -> Sequence[CheckMessage]:
    """Return what the checks of the database find, for `check --deploy`, which names no database."""
    if databases:
        return []
    return [found for check in (storage, pooling) for found in check(databases=["default"], **options)]
