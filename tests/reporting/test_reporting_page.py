"""docs/reporting.md has every view, column, dimension, metric and report that there is, in the program's own words."""

import re
from collections.abc import Callable

import pytest
from django.db import connection

from reporting.figures.registry import DIMENSIONS, METRICS, Dimension, Metric
from reporting.reports.registry import REPORTS
from reporting.views import counts, events
from reporting.views.view import View
from tests.harness.server import ROOT

PAGE = (ROOT / "docs" / "reporting.md").read_text()
VIEWS = (events.events, events.conversions, events.touches, counts.quarters, counts.daily)
NAMES = {"events", "conversions", "touches", "quarters", "daily"}


def cells() -> set[tuple[str, ...]]:
    """The rows of the page's tables, without marks of code."""
    rows = re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE)
    return {tuple(row.replace("`", "").split(" | ")) for row in rows}


@pytest.mark.parametrize("view", VIEWS)
def test_page_has_each_column_of_a_view_with_its_sentence(view: Callable[[str], View]) -> None:
    made = view(connection.vendor)
    of_columns = [row for row in cells() if len(row) == 3 and {*row[1].split(", ")} <= NAMES]
    of_view = {
        (name, sentence)
        for name, views, sentence in of_columns
        if made.name.removeprefix("reporting_") in views.split(", ")
    }
    assert of_view == {(column.name, column.sentence) for column in made.columns}
    assert f"| `{made.name}` |" in PAGE


@pytest.mark.parametrize("figure", [*DIMENSIONS.values(), *METRICS.values()], ids=lambda figure: figure.name)
def test_page_has_each_dimension_and_metric_with_its_sentence(figure: Dimension | Metric) -> None:
    assert (figure.name, figure.sentence) in cells()


def test_page_has_each_report_and_each_of_its_options() -> None:
    for name, report in REPORTS.items():
        assert f"| `{name}` |" in PAGE
        assert re.search(rf"^### .*`{name}[` ]", PAGE, re.MULTILINE), name
        assert [one.name for one in report.options if f"`--{one.name}" not in PAGE] == []
