"""Values of an answer as text: in words for people, and exactly for programs. Amounts are never rounded."""

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from reporting.reports.answer import Column, Kind, Table
from reporting.views.currencies import DECIMALS
from runtime import display

# The column that names the currency of a row's amounts.
CURRENCY = "currency"
# What people see where a value is not known.
UNKNOWN = "-"


def plain(amount: Decimal) -> str:
    """Return the amount with all its digits and no exponent: `1234.50`."""
    return format(Decimal(amount), "f")


def iso(moment: datetime, zone: tzinfo) -> str:
    """Return the moment in ISO 8601, with the offset that the zone has at that time."""
    return moment.astimezone(zone).isoformat()


def decimals(amount: Decimal) -> int:
    """Return how many decimals show the amount exactly."""
    return len(plain(amount).partition(".")[2].rstrip("0"))


class Words:
    """Writes the values of a table as people read them.

    An amount has the decimals of the currency that its row names; without one, as many as the others of its column.
    """

    def __init__(self, table: Table, zone: tzinfo) -> None:
        self._zone = zone
        names = [column.name for column in table.columns]
        self._currency = names.index(CURRENCY) if CURRENCY in names else None
        self._decimals = {
            place: _most(row[place] for row in table.rows)
            for place, column in enumerate(table.columns)
            if column.kind is Kind.AMOUNT
        }

    def row(self, columns: Sequence[Column], row: Sequence[Any]) -> list[str]:
        """Return the cells of a row. Texts of senders are as they were sent."""
        return [
            self._amount(row, place) if column.kind is Kind.AMOUNT else self._cell(column.kind, row[place])
            for place, column in enumerate(columns)
        ]

    def _amount(self, row: Sequence[Any], place: int) -> str:
        amount = row[place]
        if amount is None:
            return UNKNOWN
        usual = self._decimals[place]
        if self._currency is not None and (of_currency := DECIMALS.get(row[self._currency])) is not None:
            usual = max(of_currency, decimals(amount))
        return f"{Decimal(amount):,.{usual}f}"

    def _cell(self, kind: Kind, value: Any) -> str:
        if value is None:
            return UNKNOWN
        match kind:
            case Kind.COUNT:
                return f"{value:,d}"
            case Kind.SHARE:
                return display.share(value)
            case Kind.MOMENT:
                return f"{value.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"
            case _:
                return str(value) or '""'


def _most(amounts: Iterable[Decimal | None]) -> int:
    """Return how many decimals show all of these amounts exactly: none, or at least two."""
    most = max((decimals(amount) for amount in amounts if amount is not None), default=0)
    return most and max(2, most)
