"""Template tags that draw charts as SVG without a script: `bars`, `sparkline`, `shares`, of what console/charts.py has.

All texts and addresses go through templates, which escape them. Bars stand at percentages of the width and at pixels of
the height, so that a narrow screen makes them narrow and leaves the texts readable.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template

from console.charts import EARLIER, Chart, Line, Point, Share, Shares
from runtime import display

register = template.Library()

# The plot's height in pixels, and how much of its slot a bar fills.
HEIGHT, FILLED = 160, 0.82
# The most labels below the bars, which a screen of 390 pixels has room for.
LABELS = 7
STEPS = [timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)]
STEPS += [timedelta(days=n) for n in (1, 2, 5, 7, 14, 30, 60, 120, 365)]
SPARK_WIDTH, SPARK_HEIGHT, SPARK_EDGE = 100, 24, 2


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar, in pixels from the plot's top."""

    css: str
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with its slot: `x`, `left` and `middle` in per cent of the width."""

    href: str
    title: str
    left: str
    x: str
    middle: str
    label: str
    segments: list[Segment]


@register.filter
def number(value: float | Decimal) -> str:
    """Return the number as people read it: `12,345`."""
    return display.number(value)


@register.filter
def percent(part: float) -> str:
    """Return the part of one in per cent."""
    return display.share(part)


def amount(value: float, unit: str) -> str:
    """Return the number with its unit: `1 event`, `12,345 events`."""
    return f"{display.number(value)} {unit.removesuffix('s') if value == 1 else unit}"


def ticks(largest: float) -> list[float]:
    """Return at most five rounded values from 0 to at least `largest`, equally far apart; of a whole number, whole."""
    rough = largest / 4
    power = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1
    is_whole = float(largest).is_integer()
    factors = (1, 2, 5, 10) if is_whole and power < 10 else (1, 2, 2.5, 5, 10)
    step = next(power * factor for factor in factors if power * factor >= rough * 0.999_999)
    if is_whole:
        step = max(1, step)
    return [round(step * n, 9) for n in range(math.ceil(largest / step - 1e-9) + 1)]


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _labels(points: list[Point]) -> dict[int, str]:
    """Return the labels below the bars by the bar's place: the first bar of each hour, day, or so."""
    if points[0].tick:
        return {n: points[n].tick for n in range(0, len(points), math.ceil(len(points) / LABELS))}
    length = points[-1].end - points[0].start
    step = next((step for step in STEPS if length / step <= LABELS), STEPS[-1])
    turns = [point.start.timestamp() // step.total_seconds() for point in points]
    first = [n for n in range(1, len(points)) if turns[n] != turns[n - 1]]
    if points[0].start.timestamp() % step.total_seconds() == 0:
        first = [0, *first]
    return {n: _label(points[n].start, step) for n in first or [0]}


def _label(moment: datetime, step: timedelta) -> str:
    day, minute = display.minute(moment).split()
    return day[5:] if step >= timedelta(days=1) or minute == "00:00" else minute


def _bar(chart: Chart, place: int, largest: float, label: str) -> Bar:
    point, slot, segments, reached = chart.points[place], 100 / len(chart.points), [], 0.0
    for series in chart.series:
        if value := point.values.get(series.name, 0):
            height = HEIGHT * value / largest
            reached += height
            segments.append(Segment(series.css, f"{HEIGHT - reached:.3f}", f"{height:.3f}"))
    return Bar(
        href=point.href,
        title=_said(chart, point),
        left=f"{slot * place:.4f}%",
        x=f"{slot * (place + (1 - FILLED) / 2):.4f}%",
        middle=f"{slot * (place + 0.5):.4f}%",
        label=label,
        segments=segments,
    )


def _said(chart: Chart, point: Point) -> str:
    """Return what a bar says: `2026-05-26 16:00 to 16:01 UTC: 12 events (stored 10, rejected 2)`."""
    total = amount(_height(chart, point), chart.unit)
    parts = [f"{series.label} {display.number(value)}" for series in chart.series if (value := _of(point, series.name))]
    return f"{point.span}: {total}" + (f" ({', '.join(parts)})" if parts and len(chart.series) > 1 else "")


def _of(point: Point, name: str) -> float:
    return point.values.get(name, 0)


def _height(chart: Chart, point: Point) -> float:
    return sum(_of(point, series.name) for series in chart.series)


@register.inclusion_tag("admin/charts/bars.html")
def bars(chart: Chart) -> dict[str, Any]:
    """Draw stacked bars over time, their legend with sums, and their table; say in words where there is nothing."""
    points = list(chart.points)
    heights = [_height(chart, point) for point in points]
    context = {"chart": chart, "total": amount(sum(heights), chart.unit), "is_empty": not any(heights)}
    if context["is_empty"]:
        return context
    lines, labels = ticks(max(heights)), _labels(points)
    highest = points[heights.index(max(heights))]
    return context | {
        "height": HEIGHT,
        "slot": f"{100 / len(points):.4f}%",
        "width": f"{100 / len(points) * FILLED:.4f}%",
        "lines": [(f"{HEIGHT - HEIGHT * value / lines[-1]:.3f}", _short(value)) for value in lines],
        "bars": [_bar(chart, place, lines[-1], labels.get(place, "")) for place in range(len(points))],
        "most": _said(chart, highest),
        "legend": [(series, chart.total(series)) for series in chart.series],
        "rows": [
            (point, [_of(point, series.name) for series in chart.series], height)
            for point, height in zip(points, heights, strict=True)
        ],
    }


@register.inclusion_tag("admin/charts/sparkline.html")
def sparkline(line: Line) -> dict[str, Any]:
    """Draw a small line of the values, from 0 at the bottom to the largest at the top."""
    values = [float(value) for value in line.values]
    if not values:
        return {"line": line, "points": ""}
    drawn = values * 2 if len(values) == 1 else values
    across, up = SPARK_WIDTH / (len(drawn) - 1), (SPARK_HEIGHT - 2 * SPARK_EDGE) / (max(drawn) or 1)
    points = [f"{across * n:.2f},{SPARK_HEIGHT - SPARK_EDGE - up * value:.2f}" for n, value in enumerate(drawn)]
    said = f"from {display.number(min(values))} to {amount(max(values), line.unit)}, {display.number(values[-1])} last"
    return {"line": line, "points": " ".join(points), "said": said, "width": SPARK_WIDTH, "height": SPARK_HEIGHT}


@register.inclusion_tag("admin/charts/shares.html")
def shares(top: Shares) -> dict[str, Any]:
    """Draw a top list: a row has its name, a bar as long as its share, its number and its share."""
    counted = sum(row.count for row in top.rows)
    total = counted if top.total is None else top.total
    rows = list(top.rows)
    if total > counted:
        rows.append(Share("all others", total - counted, css=EARLIER))
    parts = [(row, row.count / total) for row in rows if total]
    drawn = [(row, f"{100 * part:.3f}%", display.share(part)) for row, part in parts]
    return {"top": top, "rows": drawn, "total": amount(total, top.unit)}
