"""The place and the user agent of stored events once more: by a newer database, a newer ruleset, a mended proxy."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec
from django.db import connection, models

from collect import geo, user_agent
from collect.backfills.run import BackfillError, Run
from collect.backfills.selection import Selection
from collect.backfills.walk import walk
from collect.geo import Geo
from collect.models import Event
from collect.user_agent import UserAgent

CHANGED, UNCHANGED = "changed", "unchanged"

GEO_COLUMNS = tuple(f"geo_{part.name}" for part in fields(Geo))
UA_COLUMNS = tuple(f"ua_{part.name}" for part in fields(UserAgent))


@dataclass(frozen=True, slots=True)
class Options:
    """What to look up again; `only_missing` leaves alone what has a country, or a browser or system, already."""

    geo: bool = True
    ua: bool = True
    only_missing: bool = False
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True, slots=True)
class _Part:
    """One enrichment: the column it is made of, the columns it fills, what makes them, and by which it is known."""

    source: str
    columns: tuple[str, ...]
    make: Callable[[str | None], Geo | UserAgent]
    known_by: tuple[str, ...]


def _geo(address: str | None) -> Geo:
    return geo.lookup(address)


def _agent(text: str | None) -> UserAgent:
    return user_agent.parse(text)


_GEO = _Part("ip_address", GEO_COLUMNS, _geo, ("geo_country",))
_UA = _Part("user_agent", UA_COLUMNS, _agent, ("ua_browser", "ua_os"))


def reenrich_events(options: Options, run: Run) -> int:
    """Enrich the selected events again; only rows that change are written. 0, for nothing is left.

    Raises `BackfillError` where the geo database is wanted and cannot be read: it would empty every column.
    """
    parts = [part for part, wanted in ((_GEO, options.geo), (_UA, options.ua)) if wanted]
    if options.geo and (error := geo.status().error) is not None:
        raise BackfillError(f"The geo database cannot be read ({error}), and every place would be lost")
    events = Event.objects.filter(options.selection.condition)
    if options.only_missing:
        missing = models.Q()
        for part in parts:
            absent = models.Q(**dict.fromkeys(part.known_by), **{f"{part.source}__isnull": False})
            missing |= absent
        events = events.filter(missing)
    work = _Work(parts, run)
    # With --only-missing a row leaves the selection when it is filled; the ids go on all the same.
    walk(events, run, work.change, parts=str([part.source for part in parts]), missing=str(options.only_missing),
         **options.selection.identity())  # fmt: skip
    return 0


class _Work:
    """What changes a range of rows."""

    def __init__(self, parts: Sequence[_Part], run: Run) -> None:
        self._parts = parts
        self._run = run
        self._columns = [column for part in parts for column in part.columns]

    def change(self, events: "models.QuerySet[Event]") -> int:
        """Enrich one range anew: each distinct address and user agent of it once."""
        sources = [part.source for part in self._parts]
        groups = events.order_by().values_list(*sources, *self._columns).annotate(events=models.Count("id"))
        looked_at = 0
        new = {}
        for *values, number in groups:
            looked_at += number
            known, before = tuple(values[: len(sources)]), tuple(values[len(sources) :])
            after = self._after(known)
            if after == before:
                self._run.counts[UNCHANGED] += number
                continue
            new[known] = after
            self._run.counts[CHANGED] += number
            for column, old, now in zip(self._columns, before, after, strict=True):
                if old != now:
                    self._run.changes[f"{column}: {_shown(old)} → {_shown(now)}"] += number
        if new and not self._run.dry_run:
            _update(events, sources, self._columns, [(*known, *after) for known, after in new.items()])
        return looked_at

    def _after(self, known: Sequence[str | None]) -> tuple[Any, ...]:
        return tuple(value for part, text in zip(self._parts, known, strict=True) for value in _values(part, text))


def _values(part: _Part, source: str | None) -> Iterable[Any]:
    made = part.make(source)
    return (getattr(made, name.partition("_")[2]) for name in part.columns)


def _update(
    events: "models.QuerySet[Event]", sources: Sequence[str], columns: Sequence[str], new: Sequence[tuple[Any, ...]]
) -> None:
    """Give the events that have these sources the new columns, in one statement; rows that have them stay."""
    table = Event._meta.db_table
    names = [f"of_{source}" for source in sources] + list(columns)
    types = {name: str(Event._meta.get_field(name).db_type(connection)) for name in (*sources, *columns)}
    if connection.vendor == "postgresql":
        cells = [f"(value->>{place})::{types[name.removeprefix('of_')]} AS {name}" for place, name in enumerate(names)]
        found = "json_array_elements(%s::json) AS value"
    else:
        cells = [f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(names)]
        found = "json_each(%s)"
    # Absent and empty give the same, so both may be joined as one.
    same = [f"coalesce({table}.{source}::text, '') = coalesce(new.of_{source}::text, '')" for source in sources]
    differ = [f"{table}.{column} IS DISTINCT FROM new.{column}" for column in columns]
    condition = f"{' AND '.join(same)} AND ({' OR '.join(differ)})"
    if connection.vendor == "sqlite":
        condition = condition.replace("::text", "").replace("IS DISTINCT FROM", "IS NOT")
    # The selection speaks of the columns of this table alone; as a subquery it would join the table to itself, which
    # the planner does by comparing every row with every other where it has no statistics yet.
    chosen, parameters = events.query.get_compiler(connection=connection).compile(events.query.where)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {', '.join(f'{column} = new.{column}' for column in columns)} "  # noqa: S608
            f"FROM (SELECT {', '.join(cells)} FROM {found}) AS new "
            f"WHERE {chosen} AND {condition}",
            [msgspec.json.encode(new).decode(), *parameters],
        )


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
