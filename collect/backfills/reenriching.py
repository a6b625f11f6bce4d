"""Looks up place and user agent of stored events again, by a newer geo database or newer rules."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, cast

import msgspec
from django.db import connection, models
from django.db.models.functions import Substr

from collect.backfills.run import BackfillError, Run
from collect.backfills.selection import Selection
from collect.backfills.walk import walk
from collect.enrichment import geo, user_agent
from collect.enrichment.city import Geo
from collect.enrichment.user_agent import PARSED_CHARACTERS, UserAgent
from collect.models import Event
from collect.storage import marks

CHANGED, UNCHANGED = "changed", "unchanged"
# The packages whose rules decide what a user agent is.
_RULES = ("ua-parser", "ua-parser-builtins", "crawler-user-agents")

GEO_COLUMNS = tuple(f"geo_{part.name}" for part in fields(Geo))
UA_COLUMNS = tuple(f"ua_{part.name}" for part in fields(UserAgent))


@dataclass(frozen=True, slots=True)
class ReenrichOptions:
    """What to look up again. With `only_missing`, what already has a country, or a browser or system, is left alone."""

    geo: bool = True
    ua: bool = True
    only_missing: bool = False
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True, slots=True)
class _Part:
    """One enrichment: the column `source`, the `columns` that it fills, and `make`, which makes them of it.

    `read` (ORM) and `sql` (`{}` is the table) select the part of the source column that the enrichment reads. An
    event is enriched already if any column of `known_by` has a value.
    """

    source: str
    read: models.F | models.Func
    sql: str
    columns: tuple[str, ...]
    make: Callable[[str | None], Geo | UserAgent]
    known_by: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name that queries give to what is read of the source."""
        return f"of_{self.source}"


def _geo(address: str | None) -> Geo:
    return geo.lookup(address)


def _agent(text: str | None) -> UserAgent:
    return user_agent.parse(text)


_GEO = _Part("ip_address", models.F("ip_address"), "{}.ip_address", GEO_COLUMNS, _geo, ("geo_country",))
_START = Substr("user_agent", 1, PARSED_CHARACTERS)
_START_SQL = f"substr({{}}.user_agent, 1, {PARSED_CHARACTERS})"
_UA = _Part("user_agent", _START, _START_SQL, UA_COLUMNS, _agent, ("ua_browser", "ua_os"))


def reenrich_events(options: ReenrichOptions, run: Run) -> int:
    """Enrich the selected events again, and return 0: nothing is ever left. Only rows that change are written.

    Raises `BackfillError` if the geo database is wanted and cannot be read, which would empty every geo column; and
    `Stopped` as `Run.advance` does.
    """
    parts = [part for part, wanted in ((_GEO, options.geo), (_UA, options.ua)) if wanted]
    if options.geo:
        _check_geo()
    events = Event.objects.filter(options.selection.condition)
    if options.only_missing:
        missing = models.Q()
        for part in parts:
            absent = models.Q(**dict.fromkeys(part.known_by), **{f"{part.source}__isnull": False})
            missing |= absent
        events = events.filter(missing)
    work = _Work(parts, run, only_missing=options.only_missing)
    # With --only-missing a row leaves the selection when it is filled. The walk goes by ids, so it skips none.
    walk(events, run, work.change, parts=str([part.source for part in parts]), missing=str(options.only_missing),
         versions=_versions(parts), **options.selection.identity())  # fmt: skip
    return 0


class _Work:
    """What is done to each range of rows."""

    def __init__(self, parts: Sequence[_Part], run: Run, *, only_missing: bool) -> None:
        self._parts = parts
        self._only_missing = only_missing
        self._run = run

    def change(self, events: "models.QuerySet[Event]") -> int:
        """Enrich a range again, each distinct address and user agent once; return how many events it has.

        Raises `BackfillError` if the geo database cannot be read any more.
        """
        columns = [column for part in self._parts for column in part.columns]
        # Fetch only what is parsed of a user agent: one may be a MiB.
        sources = {part.name: part.read for part in self._parts}
        groups = events.order_by().values(*columns, **sources).annotate(events=models.Count("id"))
        looked_at = 0
        new: dict[tuple[_Part, ...], dict[tuple[str, ...], list[Any]]] = defaultdict(dict)
        for group in groups:
            looked_at += group["events"]
            if changed := self._judge(group):
                parts = tuple(part for part in self._parts if self._is_due(part, group))
                new[parts][tuple(group[part.name] for part in parts)] = changed
        if _GEO in self._parts:
            _check_geo()  # it may have been replaced meanwhile by what is no geo database
        if new and not self._run.dry_run:
            written: list[tuple[int, datetime]] = []
            for parts, values in new.items():
                due = [self._due(part, wanted=part in parts) for part in self._parts]
                written += _update(events.filter(*due), parts, values)
            # Those that were changed, and no others: one may have come in since they were looked at.
            marks.note(written)
        return looked_at

    def _is_due(self, part: _Part, group: Mapping[str, Any]) -> bool:
        # Without a source there is nothing to look up. What is known stays: the source may have been removed since.
        is_known = self._only_missing and any(group[name] is not None for name in part.known_by)
        return group[part.name] is not None and not is_known

    def _due(self, part: _Part, *, wanted: bool) -> models.Q:
        """Return `_is_due` as a condition on events, or the opposite of it."""
        due = models.Q(**{f"{part.source}__isnull": False})
        if self._only_missing:
            due &= models.Q(**{f"{name}__isnull": True for name in part.known_by})
        return due if wanted else ~due

    def _judge(self, group: Mapping[str, Any]) -> list[Any]:
        """Return the new values of the parts that are due, none if nothing changes; count events and changes."""
        after: dict[str, Any] = {}
        for part in self._parts:
            if self._is_due(part, group):
                made = part.make(group[part.name])
                after |= {name: getattr(made, name.partition("_")[2]) for name in part.columns}
        changes = [(name, value) for name, value in after.items() if value != group[name]]
        self._run.counts[CHANGED if changes else UNCHANGED] += group["events"]
        for name, value in changes:
            self._run.changes[f"{name}: {_shown(group[name])} → {_shown(value)}"] += group["events"]
        return list(after.values()) if changes else []


def _check_geo() -> None:
    if (error := geo.status().error) is not None:
        raise BackfillError(f"The geo database cannot be read ({error}), and every place would be lost")


def _versions(parts: Sequence[_Part]) -> str:
    """Return the versions of what enriches: with other ones, a run that was cut off begins anew."""
    built_at = geo.status().built_at if _GEO in parts else None
    return f"{built_at} {' '.join(version(name) for name in _RULES)}"


def _update(
    events: "models.QuerySet[Event]", parts: Sequence[_Part], new: Mapping[tuple[str, ...], Sequence[Any]]
) -> list[tuple[int, datetime]]:
    """Give the events with these sources the new columns, in one statement; do not write rows that have them.

    Return the partner and `received_at` of each that was written.
    """
    table = Event._meta.db_table
    columns = [name for part in parts for name in part.columns]
    names = [part.name for part in parts] + columns
    fields_of = {part.name: part.source for part in parts} | {name: name for name in columns}
    types = {name: str(_field(field).db_type(connection)) for name, field in fields_of.items()}
    if connection.vendor == "postgresql":
        cells = [f"(value->>{place})::{types[name]} AS {name}" for place, name in enumerate(names)]
        found, differ = "json_array_elements(%s::json) AS value", "IS DISTINCT FROM"
    else:
        cells = [f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(names)]
        found, differ = "json_each(%s)", "IS NOT"
    same = " AND ".join(f"{part.sql.format(table)} = new.{part.name}" for part in parts)
    changed = " OR ".join(f"{table}.{name} {differ} new.{name}" for name in columns)
    # The selection uses columns of this table alone, so its condition can stand in this statement. As a subquery it
    # would join the table to itself, and a planner without statistics would compare every row with every other.
    chosen, parameters = events.query.get_compiler(connection=connection).compile(events.query.where)
    document = msgspec.json.encode([(*known, *values) for known, values in new.items()]).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {', '.join(f'{name} = new.{name}' for name in columns)} "  # noqa: S608
            # Without LIMIT the planner reads the document's values anew for each event.
            f"FROM (SELECT {', '.join(cells)} FROM {found} LIMIT {len(new)}) AS new "
            f"WHERE {chosen} AND {same} AND ({changed}) RETURNING {table}.partner_id, {table}.received_at",
            [document, *parameters],
        )
        return [(partner, _moment(received_at)) for partner, received_at in cursor.fetchall()]


def _moment(value: datetime | str) -> datetime:
    """Return a moment as PostgreSQL's driver reads it; SQLite's knows no types of what RETURNING gives."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _field(name: str) -> "models.Field[Any, Any]":
    return cast("models.Field[Any, Any]", Event._meta.get_field(name))


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
