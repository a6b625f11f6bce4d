"""A partner's own list of the month's orders, with faults that are planned, and what a comparison has to say of it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.reporting.month.checks import Check
from tests.reporting.month.known import Known
from tests.reporting.month.plan import PARTNERS, Money, Planned
from tests.reporting.reconciling.running import lines_of, reconcile

# What is wrong with an order in the list, by the remainder of its number; of the other remainders nothing is.
LEFT_OUT, DOUBLED, CONTRADICTED, OTHER_AMOUNT, OTHER_CURRENCY, UNREADABLE, BESIDE_INVENTED = range(7)
_REMAINDERS = 17
_CLASSES = {
    DOUBLED: ("agrees", "doubled_equal"),
    CONTRADICTED: ("doubled_different", "doubled_different"),
    OTHER_AMOUNT: ("different",),
    OTHER_CURRENCY: ("different",),
}
Figures = dict[tuple[str, ...], Any]


class Listed:
    """The list of the first partner. It has what is erased and what test keys sent, which is not stored for it."""

    def __init__(self, path: Path, planned: Iterable[Planned]) -> None:
        self.lines: Counter[str] = Counter()
        # How many ids and events are stored, by class.
        self._stored: Counter[tuple[str, str]] = Counter()
        # In the file and here, in ten-thousandths, by class and currency.
        self._amounts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._again = 0
        with path.open("w") as file:
            file.write("event_id,amount,currency\n")
            for _, reports in groupby(planned, key=lambda one: one.event_id or one.number):
                first, *others = reports
                if first.partner == 0 and first.name == "order_created":
                    file.writelines(self._order(first, 1 + len(others)))

    def _order(self, first: Planned, reports: int) -> list[str]:
        """Return the lines of an order, and count what they are and what is stored of it."""
        fault = first.number % _REMAINDERS
        is_here = not first.is_erased and not first.is_test
        is_listed = first.event_id is not None and first.money.issue is None and fault != LEFT_OUT
        is_named = is_listed and fault != UNREADABLE
        if is_here:
            self._store(first, reports, is_named=is_named)
        if not is_listed:
            return []
        if not is_named:
            self.lines["unreadable"] += 1
            return [f"{first.event_id},about 7,EUR\n"]
        texts = []
        for of, (value_e4, currency) in zip(_CLASSES.get(fault, ("agrees",)), _moneys(fault, first.money), strict=True):
            is_missing = not is_here and not of.startswith("doubled")
            self._count("missing" if is_missing else of, value_e4, currency, first.money if is_here else Money())
            texts.append(f"{first.event_id},{_text(value_e4)},{currency or ''}\n")
        if fault == BESIDE_INVENTED:
            self._count("missing", 10_000, "EUR", Money())
            texts.append(f"invented {first.number},1,EUR\n")
        return texts

    def _store(self, first: Planned, reports: int, *, is_named: bool) -> None:
        of = "in_file" if is_named else "only_here" if first.event_id else "without_id"
        self._stored[of, "events"] += reports
        self._stored["stored", "events"] += reports
        if first.event_id:
            self._stored[of, "ids"] += 1
            self._stored["stored", "ids"] += 1
            self._again += reports > 1
        if not is_named:
            self._add(of, 1, first.money.value_e4, first.money.currency)

    def _count(self, of: str, value_e4: int | None, currency: str | None, here: Money) -> None:
        self.lines[of] += 1
        if not of.startswith("doubled"):
            self._add(of, 0, value_e4, currency)
            self._add(of, 1, here.value_e4, here.currency)

    def _add(self, of: str, side: int, value_e4: int | None, currency: str | None) -> None:
        if value_e4 is not None and currency is not None:
            self._amounts[of, currency][side] += value_e4

    def figures(self) -> Figures:
        """Return what the comparison has to say, by table, row and column."""
        found: Figures = {("lines", of): number for of, number in self.lines.items()}
        found["lines", "lines_of_the_file"] = self.lines.total()
        for of in ("in_file", "only_here", "without_id", "stored"):
            ids = None if of == "without_id" else self._stored[of, "ids"]
            found["stored", of] = (ids, self._stored[of, "events"])
        for key, sides in self._amounts.items():
            found["amounts", *key] = tuple(Decimal(side) / 10_000 for side in sides)
        return found | {("again",): self._again, ("status",): 3}


def _moneys(fault: int, money: Money) -> list[tuple[int | None, str | None]]:
    """Return what the lines of an order say of its value."""
    as_it_is, or_none = (money.value_e4, money.currency), money.value_e4 or 0
    other = (or_none + 10_000, money.currency or "EUR")
    of_faults: dict[int, list[tuple[int | None, str | None]]] = {
        DOUBLED: [as_it_is, as_it_is],
        CONTRADICTED: [as_it_is, other],
        OTHER_AMOUNT: [other],
        OTHER_CURRENCY: [(or_none, "CHF")],
    }
    return of_faults.get(fault, [as_it_is])


def _text(value_e4: int | None) -> str:
    if value_e4 is None:
        return ""
    return f"{'-' * (value_e4 < 0)}{abs(value_e4) // 10_000}.{abs(value_e4) % 10_000:04}"


def check(directory: Path, planned: Callable[[], Iterable[Planned]]) -> Check:
    """What `reconcile` says of the list, and how many lines it writes to be sent again."""

    def compare(_: Known) -> tuple[Any, Any]:
        path, resent = directory / "orders.csv", directory / "missing.ndjson"
        expected = Listed(path, planned()).figures()
        status, said = reconcile(path, "--partner", PARTNERS[0], "--resend", resent, "--rows", 1)
        found = _figures(lines_of(said)) | {("status",): status}
        with resent.open() as file:
            found["sent again",] = sum(1 for _ in file)
        return found, expected | {("sent again",): expected["lines", "missing"]}

    return compare


def _figures(lines: Iterable[str]) -> Figures:
    """Return the figures of the tables that are printed, each of which ends with a blank line."""
    found: Figures = {}
    title = ""
    for line in lines:
        row = line.replace(",", "").split()
        if not title or not line:
            title = line
        elif title == "Lines of the file" and row[1].isdigit():
            found["lines", row[0]] = int(row[1])
        elif title == "What is stored" and row[-1].isdigit():
            found["stored", row[0]] = (None if row[1] == "-" else int(row[1]), int(row[2]))
        elif title == "Amounts of each class" and len(row) == 4 and row[1].isalpha():
            found["amounts", row[0], row[1]] = (Decimal(row[2]), Decimal(row[3]))
        elif title.startswith("Stored more than once, and counted once"):
            # One of them is shown.
            found.setdefault(("again",), 1)
            if line.endswith("--rows shows more."):
                found["again",] += int(row[0])
    return found
