"""Which column of a partner's file means what: those that were named, and those whose names can mean only one thing."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping

from reporting.reconciling.wanted import Match, Role, Wanted
from reporting.reports.question import BadQuestion

# Names by which a column is recognised, in lower case without blanks, dashes and underscores; the first one wins.
KNOWN: Mapping[Role, tuple[str, ...]] = {
    Role.EVENT_ID: ("eventid",),
    Role.ORDER_ID: ("orderid", "ordernumber", "transactionid"),
    Role.AMOUNT: ("amount", "value"),
    Role.CURRENCY: ("currency", "currencycode"),
    Role.TIME: ("timestamp", "time", "createdat", "date"),
    Role.EVENT_NAME: ("eventname",),
    Role.TAG: ("tagid",),
}
OPTIONS = {Role.AMOUNT: "--amount", Role.CURRENCY: "--currency", Role.TIME: "--time"}
# An id, of which the name does not say what of.
_ID = "id"
_IDS = (*KNOWN[Role.EVENT_ID], *KNOWN[Role.ORDER_ID], _ID)
# Given for a column, it says that there is none to be looked at.
NO_COLUMN = "-"
# Names that are listed in an error, and sets of names that are remembered.
_LISTED, _REMEMBERED = 12, 1_000


def plain(name: str) -> str:
    """Return the name of a column without what people spell in different ways."""
    return re.sub(r"[\s_\-]+", "", name.removeprefix("params.")).casefold()


def of_ids(names: Collection[str], wanted: Wanted) -> tuple[str, Match]:
    """Return the column of the ids, and what they are compared with. Raises `BadQuestion`."""
    if wanted.id_column is None:
        found = next((name for known in _IDS for name in names if plain(name) == known), None)
        if found is None:
            raise BadQuestion(f"no column is recognised as the id; name it with --id: {listed(names)}")
    else:
        found = named(wanted.id_column, names)
        if found is None:
            raise BadQuestion(f"--id: there is no column {wanted.id_column!r}: {listed(names)}")
    return found, wanted.match or _match(found)


def _match(column: str) -> Match:
    for role, match in ((Role.EVENT_ID, Match.EVENT_ID), (Role.ORDER_ID, Match.ORDER_ID)):
        if plain(column) in KNOWN[role]:
            return match
    raise BadQuestion(f"the column {column!r} may have ids of events or of orders: say --match event_id or order_id")


def named(wanted: str, names: Iterable[str]) -> str | None:
    """Return the column that was named, exactly or but for blanks, dashes, underscores and case."""
    if wanted in names:
        return wanted
    return next((name for name in names if plain(name) == plain(wanted)), None)


def listed(names: Collection[str]) -> str:
    """Return the columns that there are, for an error."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"there are {', '.join(list(names)[:_LISTED])}{more}" if names else "there are none"


class Columns:
    """The columns of a file, of which the first record decides which one has the ids."""

    def __init__(self, names: Collection[str], wanted: Wanted) -> None:
        self._wanted = wanted
        self.id, self.match = of_ids(names, wanted)
        self._of_names: dict[tuple[str, ...], Mapping[Role, str]] = {}
        # The columns that were found to mean something, in the order in which they came up.
        self.found: dict[Role, list[str]] = {}

    def of(self, names: tuple[str, ...]) -> Mapping[Role, str]:
        """Return the columns of a record with these names. Raises `BadQuestion` where two could be the amount."""
        if (known := self._of_names.get(names)) is None:
            known = self._resolved(names)
            if len(self._of_names) < _REMEMBERED:
                self._of_names[names] = known
            for role, name in known.items():
                if name not in (found := self.found.setdefault(role, [])) and len(found) < _LISTED:
                    found.append(name)
        return known

    def _resolved(self, names: tuple[str, ...]) -> Mapping[Role, str]:
        resolved = {role: self._column(role, names) for role in Role}
        return {role: name for role, name in resolved.items() if name is not None and name != self.id}

    def _column(self, role: Role, names: tuple[str, ...]) -> str | None:
        wanted = self._wanted.columns.get(role)
        if wanted is not None:
            return None if wanted == NO_COLUMN else named(wanted, names)
        found = _recognised(role, names)
        if role is Role.AMOUNT and len(found) > 1:
            raise BadQuestion(f"{' and '.join(found)} may both be the amount: say which with --amount")
        return found[0] if found else None

    def check(self, seen: Callable[[Role], bool]) -> None:
        """Raise `BadQuestion` for a column that was named and in which no line had anything."""
        for role, name in self._wanted.columns.items():
            if name != NO_COLUMN and not seen(role):
                raise BadQuestion(f"{OPTIONS[role]}: no line has anything in a column {name!r}")


def _recognised(role: Role, names: tuple[str, ...]) -> list[str]:
    return [name for known in KNOWN[role] for name in names if plain(name) == known]
