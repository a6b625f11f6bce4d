"""A record of a partner's file as a line that can be compared, or what is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw

from collect.backfills.formats import past
from collect.backfills.formats.records import Record
from collect.intake import contract, json_rules
from reporting.reconciling import money
from reporting.reconciling.classes import NOTHING, Money
from reporting.reconciling.columns import Columns
from reporting.reconciling.wanted import DEFAULT_NAME, Match, Role, Wanted
from runtime.refusals import Refusal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# A day without dashes, which would be a moment of the year 1970 in Unix seconds.
_COMPACT = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])", re.ASCII)
_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class BadLine(ValueError):  # noqa: N818  # said to a person as it is
    """The line cannot be compared: the text says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file. `at` is its time in microseconds since 1970; `other` is its id of the other kind."""

    number: int
    name: str
    id: str
    money: Money = NOTHING
    at: int | None = None
    tag: str | None = None
    other: str | None = None


class Reader:
    """Makes lines of records; the first record that can be read decides which column has the ids."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self.columns: Columns | None = None
        # What some line said something of.
        self.seen: set[Role] = set()

    def __call__(self, record: Record) -> Line:
        """Return the line. Raises `BadLine`; `BadQuestion` where nobody can tell which column means what."""
        if record.fault is not None:
            raise BadLine(record.fault.detail)
        fields = _flat(record.body)
        if self.columns is None:
            self.columns = Columns(tuple(fields), self._wanted)
        roles = self.columns.of(tuple(fields))
        try:
            return self._line(record.line, fields, roles, self.columns)
        except (ValueError, OverflowError, OSError) as error:
            raise BadLine(str(error)) from None

    def _line(self, number: int, fields: Mapping[str, Raw], roles: Mapping[Role, str], columns: Columns) -> Line:
        said = {role: _value(fields[name]) for role, name in roles.items()}
        said = {role: value for role, value in said.items() if value is not None}
        self.seen |= said.keys()
        return Line(
            number,
            self._name(said),
            _id(columns.id, _value(fields.get(columns.id))),
            self._money(said),
            self._at(said.get(Role.TIME)),
            _text(said, Role.TAG),
            _text(said, Role.ORDER_ID if columns.match is Match.EVENT_ID else Role.EVENT_ID),
        )

    def _name(self, said: Mapping[Role, Any]) -> str:
        return self._wanted.event_name or (_text(said, Role.EVENT_NAME) or "").strip() or DEFAULT_NAME

    def _money(self, said: Mapping[Role, Any]) -> Money:
        if Role.AMOUNT not in said:
            return NOTHING
        amount = money.amount_of(_digits(said[Role.AMOUNT], "amount"))
        fixed = self._wanted.currency_code
        if Role.CURRENCY not in said:
            if fixed is None:
                raise BadLine("no currency: name its column with --currency, or say --currency-code")
            return Money(amount, fixed)
        currency = money.currency_of(_text(said, Role.CURRENCY) or "")
        if fixed not in (None, currency):
            raise BadLine(f"the currency is {currency}, and --currency-code says {fixed}")
        return Money(amount, currency)

    def _at(self, value: Any) -> int | None:
        if value is None:
            return None
        text = str(value).strip()
        if _COMPACT.fullmatch(text):
            raise BadLine(f"time {text} may be a day: write {text[:4]}-{text[4:6]}-{text[6:]} (--time - leaves it out)")
        try:
            if isinstance(value, _Number) or (text.isdecimal() and text.isascii()):
                found = contract.moment(float(text))
            else:
                found = past.spelled(text, self._wanted.zone)
            return (past.utc(found) - _EPOCH) // _MICROSECOND
        except (ValueError, OverflowError, OSError) as error:
            raise BadLine(f"time {text[:40]!r} {error} (--time - leaves it out)") from None


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def _flat(body: bytes) -> dict[str, Raw]:
    """Return the fields of a record, those of its `params` among them as `params.x`. Raises `BadLine`."""
    try:
        fields = _fields(json_rules.clean(body))
        inner = fields.get("params")
        if inner is not None and bytes(memoryview(inner)[:1]) == b"{":
            fields = fields | {f"params.{name}": value for name, value in _fields(inner).items()}
    except Refusal as refusal:
        raise BadLine(refusal.detail) from None
    except msgspec.ValidationError:
        raise BadLine("it is no JSON object") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadLine(f"it is no JSON: {error}") from None
    return fields


def _value(raw: Raw | None) -> Any:
    """Return a text, a `_Number` or another value; None for null, for a blank text and for what is not there."""
    if raw is None:
        return None
    token = bytes(raw)
    if token[:1] in b"-0123456789":
        return _Number(token.decode())
    value = contract.read_value(token)
    return None if isinstance(value, str) and not value.strip() else value


def _id(column: str, value: Any) -> str:
    """Return an id: a text or a whole number, as it is. Raises `BadLine`."""
    if value is None:
        raise BadLine(f"no {column}")
    if not isinstance(value, str) or (isinstance(value, _Number) and not value.isdecimal()):
        raise BadLine(f"{column}: an id is a text or a whole number, not {str(value)[:40]}")
    if len(value) > contract.MAX_TEXT:
        raise BadLine(f"{column} has more than {contract.MAX_TEXT} characters")
    return str(value)


def _digits(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadLine(f"{name}: {str(value)[:40]} is no number")
    return value


def _text(said: Mapping[Role, Any], role: Role) -> str | None:
    """Return what the line says of it, if that is a text or a number. Raises `BadLine` for what else there may be."""
    value = said.get(role)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadLine(f"{role}: {str(value)[:40]} is no text")
    if len(value) > contract.MAX_TEXT:
        raise BadLine(f"{role} has more than {contract.MAX_TEXT} characters")
    return str(value)
