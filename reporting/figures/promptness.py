"""Tells whether figures are there within the time that a page has: it depends on how many buckets make them up."""

from collections.abc import Mapping

from django.db import connection

from reporting.models import Cell
from reporting.ranges import Range

# Buckets that are summed up in half a second on two cores, by the kind of database; measured with the report daily.
MOST: Mapping[str, int] = {"sqlite": 8_000, "postgresql": 40_000}


def is_prompt(over: Range) -> bool:
    """Tell whether so few buckets are of events of the range that a page can wait. It looks at no more of them."""
    found = Cell.objects.filter(quarter__gte=over.start, quarter__lt=over.end).order_by()
    most = MOST[connection.vendor]
    return not found.values_list("pk", flat=True)[most : most + 1].exists()
