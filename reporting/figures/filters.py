"""Filters of figures: a dimension or a metric, an operator, and a value, as people write them: `country is DE`."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q

from reporting.figures.registry import DIMENSIONS, METRICS, TIMES, Dimension
from reporting.reports.question import BadQuestion

IS, IS_NOT, CONTAINS, GREATER, LESS = OPERATORS = ("is", "is not", "contains", "greater", "less")
# The value that stands for "unknown".
UNKNOWN = "unknown"
# A metric is compared as a number, a dimension as the text that it is.
_OF_METRICS: Mapping[str, Callable[[Any, Any], bool]] = {
    IS: operator.eq,
    IS_NOT: operator.ne,
    GREATER: operator.gt,
    LESS: operator.lt,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition, on what is counted (a dimension) or on the rows of the answer (a metric)."""

    name: str
    operator: str
    value: str

    @classmethod
    def of(cls, text: str) -> "Filter":
        """Return the filter of a text. Raises `BadQuestion` for one that is none."""
        name, _, rest = text.strip().partition(" ")
        found = next(
            (one for one in sorted(OPERATORS, key=len, reverse=True) if f"{rest} ".startswith(f"{one} ")), None
        )
        if name not in DIMENSIONS and name not in METRICS:
            raise BadQuestion(f"filter: {name!r} is none of {', '.join((*DIMENSIONS, *METRICS))}")
        if name in TIMES:
            raise BadQuestion(f"filter: {name} is a time; choose it by the range")
        if found is None:
            raise BadQuestion(f"filter: behind {name} stands one of {', '.join(OPERATORS)}, not {rest!r}")
        made = cls(name, found, rest[len(found) :].strip())
        made._check()
        return made

    def _check(self) -> None:
        if not self.is_of_rows:
            return
        if self.operator not in _OF_METRICS:
            raise BadQuestion(f"filter: {self.name} is a number; {self.operator} is for texts")
        try:
            is_number = Decimal(self.value).is_finite()
        except InvalidOperation:
            is_number = False
        if not is_number:
            raise BadQuestion(f"filter: {self.name} is a number, and {self.value!r} is none")

    @property
    def is_of_rows(self) -> bool:
        """Whether it chooses rows of the answer, by a metric; else it chooses what is counted."""
        return self.name in METRICS

    def condition(self, field: Callable[[Dimension], str]) -> Q:
        """Return the condition on what is counted; `field` gives the field that has the dimension."""
        column = field(DIMENSIONS[self.name])
        if self.value == UNKNOWN and self.operator in (IS, IS_NOT):
            return Q(**{f"{column}__isnull": self.operator == IS})
        lookup = {CONTAINS: "contains", GREATER: "gt", LESS: "lt"}.get(self.operator, "exact")
        found = Q(**{f"{column}__{lookup}": self.value})
        # What is unknown is not this value either.
        return ~found | Q(**{f"{column}__isnull": True}) if self.operator == IS_NOT else found

    def keeps(self, value: Any) -> bool:
        """Tell whether a row with this value of the metric is kept; without a value it is not."""
        return value is not None and _OF_METRICS[self.operator](value, Decimal(self.value))

    def __str__(self) -> str:
        return f"{self.name} {self.operator} {self.value}"


def parsed(texts: Sequence[str]) -> list[Filter]:
    """Return the filters of texts. Raises `BadQuestion`."""
    return [Filter.of(text) for text in texts if text.strip()]
