"""Which programs send with a key, by the User-Agent header: counted in memory, and written by the ledger's thread.

What was counted and not written is lost with the process: it serves to compare builds, and no event depends on it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from collect.models import Build
from collect.models.rejection import MAX_USER_AGENT
from collect.storage.grouping import additive
from keys import crypto
from keys.models import ApiKey
from runtime import outage

# Builds that a key may show for the first time in a day, and in the memory of a worker; the rest count as one.
MAX_NEW_A_DAY = 20
OTHER, NONE, UNKNOWN = "(other builds)", "(no User-Agent)", "(unknown)"
_MAX_IN_MEMORY = 2 * MAX_NEW_A_DAY


class _Use:
    """The requests of a build that are not written yet."""

    __slots__ = ("first_seen", "last_seen", "requests")

    def __init__(self, moment: datetime) -> None:
        self.first_seen = self.last_seen = moment
        self.requests = 0


_uses: dict[int, dict[str, _Use]] = defaultdict(dict)


def name_of(meta: Mapping[str, Any]) -> str:
    """Return what the build is called that sent a request with this WSGI environment; no secret of a key is in it."""
    if not meta:
        return UNKNOWN
    return crypto.masked((meta.get("HTTP_USER_AGENT") or NONE)[:MAX_USER_AGENT])


def count(api_key_id: int, meta: Mapping[str, Any], moment: datetime) -> None:
    """Count a request with this key. It takes no lock and, for a build that is known, two look-ups.

    Two threads that count at the same moment may count one request: that there were some is what matters.
    """
    uses = _uses[api_key_id]
    use = uses.get(meta.get("HTTP_USER_AGENT") or NONE)
    if use is None:
        name = name_of(meta)
        if name not in uses and len(uses) >= _MAX_IN_MEMORY:
            name = OTHER
        use = uses.setdefault(name, _Use(moment))
    use.requests += 1
    use.last_seen = moment


def write() -> None:
    """Write down what was counted, unless the database is away. Raises `django.db.Error`; then it is forgotten."""
    if outage.database.is_open or outage.writing.is_open:
        return
    global _uses  # swapped, so that nobody who counts waits
    counted, _uses = _uses, defaultdict(dict)
    # Copied, because a thread that read the name before the swap may still add to it.
    uses = {(key, name): use for key, builds in counted.copy().items() for name, use in builds.copy().items()}
    # A worker may know a key that a restored database does not have; those of the others are written.
    there = set(ApiKey.objects.filter(pk__in=counted).values_list("pk", flat=True)) if uses else ()
    if uses := {build: use for build, use in uses.items() if build[0] in there}:
        _add(uses)


def ids(builds: Mapping[tuple[int, str], datetime]) -> dict[tuple[int, str], int]:
    """Return the primary keys of builds, by key and name, which are added where they are new: seen at that moment.

    Raises `django.db.Error`.
    """
    known = _known(builds)
    return known | _add({build: _Use(moment) for build, moment in builds.items() if build not in known})


def _known(builds: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
    keys, names = {key for key, _ in builds}, {name for _, name in builds}
    rows = Build.objects.filter(api_key__in=keys, user_agent__in=names).values_list("api_key_id", "user_agent", "pk")
    return {(key, name): pk for key, name, pk in rows}


def _names(uses: Mapping[tuple[int, str], _Use]) -> dict[tuple[int, str], str]:
    """Return under which name each build is kept: its own, or `OTHER` if its key showed very many in a day."""
    known = _known(uses)
    names = {}
    left: dict[int, int] = {}
    for (key, name), use in uses.items():
        names[key, name] = name
        if (key, name) in known:
            continue
        if key not in left:
            since = use.first_seen - timedelta(days=1)
            left[key] = MAX_NEW_A_DAY - Build.objects.filter(api_key=key, first_seen__gt=since).count()
        if left[key] <= 0:
            names[key, name] = OTHER
        left[key] -= 1
    return names


def _add(uses: Mapping[tuple[int, str], _Use]) -> dict[tuple[int, str], int]:
    names = _names(uses)
    merged: dict[tuple[int, str], dict[str, Any]] = {}
    for (key, name), use in uses.items():
        row = merged.setdefault(
            (key, names[key, name]),
            {"api_key": key, "user_agent": names[key, name], "first_seen": use.first_seen, "last_seen": use.last_seen,
             "requests": 0},
        )  # fmt: skip
        row["first_seen"] = min(row["first_seen"], use.first_seen)
        row["last_seen"] = max(row["last_seen"], use.last_seen)
        row["requests"] += use.requests
    how = {"first_seen": additive.EARLIEST, "last_seen": additive.LATEST, "requests": additive.SUM}
    written = additive.add(Build, list(merged.values()), ("api_key", "user_agent"), how)
    pks = {(key, name): pk for key, name, pk in written}
    return {(key, name): pks[key, names[key, name]] for key, name in uses}
