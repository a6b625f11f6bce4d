"""Charts say what the numbers say: the geometry of the SVG, its links, its words, and hostile names."""

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template

from console.charts import EARLIER, OUTCOMES, PLAIN, Chart, Line, Point, Series, Share, Shares
from console.templatetags.charts import HEIGHT, ticks

START = datetime(2026, 5, 26, 13, 58, tzinfo=UTC)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "]]></svg>",
    "&amp;",
    "{{ 1 }}{% now %}",
]


def drawn(tag: str, shown: object) -> ET.Element:
    """What the tag makes of it, as a tree: what is no well-formed XML fails here."""
    html = Template(f"{{% load charts %}}{{% {tag} shown %}}").render(Context({"shown": shown}))
    return ET.fromstring(f"<body>{html}</body>")  # noqa: S314  # our own template


def minutes(*values: dict[str, float], step: timedelta = timedelta(minutes=1), start: datetime = START) -> list[Point]:
    return [
        Point(start + step * n, start + step * (n + 1), f"/admin/collect/event/?n={n}", value)
        for n, value in enumerate(values)
    ]


def chart(points: Sequence[Point], series: Sequence[Series] = OUTCOMES) -> Chart:
    return Chart("Events a minute", series, points)


def segments(bar: ET.Element) -> dict[str, tuple[float, float]]:
    """Of a bar, the top and the height of each part by its outcome."""
    found = {}
    for rect in bar.findall("rect"):
        name = rect.attrib["class"].removeprefix("chart-segment chart-")
        if name != "chart-slot":
            found[name] = float(rect.attrib["y"]), float(rect.attrib["height"])
    return found


def texts(tree: ET.Element, path: str) -> list[str]:
    return [" ".join("".join(found.itertext()).split()) for found in tree.iterfind(path)]


def test_bars_are_as_high_as_their_values_and_stand_on_each_other() -> None:
    tree = drawn("bars", chart(minutes({"stored": 60, "rejected": 20}, {"stored": 40}, {"conflict": 80})))
    first, second, third = map(segments, tree.findall(".//a[@class='chart-bar']"))
    a_unit = HEIGHT / 80
    assert first == {"stored": (HEIGHT - 60 * a_unit, 60 * a_unit), "rejected": (0, 20 * a_unit)}
    assert second == {"stored": (HEIGHT - 40 * a_unit, 40 * a_unit)}
    assert third == {"conflict": (0, HEIGHT)}


def test_bars_share_the_width_from_left_to_right() -> None:
    tree = drawn("bars", chart(minutes(*[{"stored": 1.0}] * 4)))
    slots = tree.findall(".//rect[@class='chart-slot']")
    assert [slot.attrib["x"] for slot in slots] == ["0.0000%", "25.0000%", "50.0000%", "75.0000%"]
    assert {slot.attrib["width"] for slot in slots} == {"25.0000%"}
    bar = tree.findall(".//rect[@class='chart-segment chart-stored']")[1]
    left, width = (float(bar.attrib[name].removesuffix("%")) for name in ("x", "width"))
    assert 25 < left < left + width < 50


def test_each_bar_leads_to_its_list_and_says_its_values_and_range() -> None:
    tree = drawn("bars", chart(minutes({"stored": 1_200, "rate_limited": 34}, {"stored": 1}, {})))
    bars = tree.findall(".//a[@class='chart-bar']")
    assert [bar.attrib["href"] for bar in bars] == [f"/admin/collect/event/?n={n}" for n in range(3)]
    said = [
        "2026-05-26 13:58 to 13:59 UTC: 1,234 events (stored 1,200, rate limited 34)",
        "2026-05-26 13:59 to 14:00 UTC: 1 event (stored 1)",
        "2026-05-26 14:00 to 14:01 UTC: 0 events",
    ]
    assert texts(tree, ".//a[@class='chart-bar']/title") == said
    assert [bar.attrib["aria-label"] for bar in bars] == said


def test_table_beside_has_every_number_and_the_legend_their_sums() -> None:
    series = OUTCOMES[:2]
    tree = drawn("bars", chart(minutes({"stored": 1_000, "duplicate": 2}, {"stored": 500}), series))
    assert texts(tree, ".//thead//th") == ["Time", "stored", "duplicate", "All"]
    rows = tree.findall(".//tbody/tr")
    assert [texts(row, "./td") for row in rows] == [["1,000", "2", "1,002"], ["500", "0", "500"]]
    assert texts(rows[0], "./th/a") == ["2026-05-26 13:58 to 13:59 UTC"]
    assert rows[0].find("./th/a").attrib["href"] == "/admin/collect/event/?n=0"  # type: ignore[union-attr]  # it is there
    assert texts(tree, ".//ul/li") == ["stored 1,500", "duplicate 2"]
    (words,) = texts(tree, ".//svg/desc")
    assert words.startswith("1,502 events. The highest bar: 2026-05-26 13:58 to 13:59 UTC: 1,002 events")


def test_legend_leads_to_what_the_series_counts() -> None:
    stored = Series("stored", "stored", "chart-stored", "/admin/collect/event/?a=1&b=2")
    tree = drawn("bars", chart(minutes({"stored": 1}), [stored]))
    assert [link.attrib["href"] for link in tree.iterfind(".//ul/li/a")] == ["/admin/collect/event/?a=1&b=2"]


@pytest.mark.parametrize("points", [[], minutes({}, {"stored": 0})])
def test_chart_of_nothing_says_so_in_words(points: list[Point]) -> None:
    tree = drawn("bars", chart(points))
    assert not tree.findall(".//svg")
    span = " from 2026-05-26 13:58 to 14:00 UTC" if points else ""
    assert texts(tree, ".//p") == [f"No events{span}."]


def test_values_that_no_series_names_are_neither_drawn_nor_counted() -> None:
    tree = drawn("bars", chart(minutes({"stored": 2, "received": 9}), OUTCOMES[:1]))
    assert [list(segments(bar)) for bar in tree.iterfind(".//a[@class='chart-bar']")] == [["stored"]]
    assert texts(tree, ".//tbody//td") == ["2"]


@pytest.mark.parametrize("largest", [1, 2, 3, 4, 5, 7, 9, 10, 11, 99, 100, 101, 1_234, 25_000, 999_999, 10**9])
def test_ticks_are_few_whole_and_rounded_and_reach_the_largest(largest: int) -> None:
    found = ticks(largest)
    assert found[0] == 0
    assert found[-2] < largest <= found[-1]
    assert 2 <= len(found) <= 6
    assert len({round(b - a, 6) for a, b in itertools.pairwise(found)}) == 1
    assert all(value == int(value) for value in found)
    assert len(f"{found[1]:.0f}".rstrip("0")) <= 2


def test_ticks_are_of_ones_twos_and_fives() -> None:
    assert ticks(10) == [0, 5, 10]
    assert ticks(7) == [0, 2, 4, 6, 8]
    assert ticks(100) == [0, 25, 50, 75, 100]


def test_ticks_of_sums_of_money_have_fractions() -> None:
    assert ticks(0.9) == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("start", "step", "number", "labels"),
    [
        ("13:58", timedelta(minutes=1), 60, ["14:00", "14:10", "14:20", "14:30", "14:40", "14:50"]),
        ("13:58", timedelta(minutes=5), 12, ["14:03", "14:13", "14:23", "14:33", "14:43", "14:53"]),
        ("14:00", timedelta(hours=1), 24, ["18:00", "05-27", "06:00", "12:00"]),
        ("00:00", timedelta(days=1), 7, ["05-26", "05-27", "05-28", "05-29", "05-30", "05-31", "06-01"]),
        ("00:00", timedelta(hours=1), 72, ["05-26", "12:00", "05-27", "12:00", "05-28", "12:00"]),
        ("13:58", timedelta(minutes=1), 1, ["13:58"]),
    ],
)
def test_few_labels_stand_below_the_first_bars_of_round_moments(
    start: str, step: timedelta, number: int, labels: list[str]
) -> None:
    moment = datetime.fromisoformat(f"2026-05-26T{start}Z")
    tree = drawn("bars", chart(minutes(*[{"stored": 1.0}] * number, step=step, start=moment)))
    found = [text for text in tree.iterfind(".//text") if text.attrib["text-anchor"] == "middle"]
    assert [text.text for text in found] == labels


def test_line_has_each_value_at_its_height() -> None:
    tree = drawn("sparkline", Line("Last day", [0, 5, 10, 5]))
    (line,) = tree.iterfind(".//polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert [x for x, _ in points] == [0, 33.33, 66.67, 100]
    bottom, middle, top = points[0][1], points[1][1], points[2][1]
    assert bottom - middle == middle - top > 0
    (image,) = tree.iterfind(".//svg")
    assert image.attrib["role"] == "img"
    assert image.attrib["aria-label"] == "Last day: from 0 to 10 events, 5 last"


def test_line_of_one_value_of_zeros_and_of_none() -> None:
    assert len(drawn("sparkline", Line("x", [7])).findall(".//polyline")) == 1
    (line,) = drawn("sparkline", Line("x", [0, 0])).iterfind(".//polyline")
    assert {point.split(",")[1] for point in line.attrib["points"].split()} == {"22.00"}
    assert texts(drawn("sparkline", Line("x", [])), "./span") == ["no events"]


def test_shares_are_as_long_as_their_part_of_the_total() -> None:
    top = Shares(
        "Top names", [Share("order_created", 750, "/admin/?name=order_created"), Share("rare", 1)], total=1_500
    )
    tree = drawn("shares", top)
    rows = tree.findall(".//tbody/tr")
    assert [texts(row, "./td")[1:] for row in rows] == [["750", "50 %"], ["1", "< 0.1 %"], ["749", "49.9 %"]]
    assert texts(tree, ".//tbody//th") == ["order_created", "rare", "all others"]
    widths = [row.findall(".//rect")[1].attrib["width"] for row in rows]
    assert widths == ["50.000%", "0.067%", "49.933%"]
    assert [row.findall(".//rect")[1].attrib["class"] for row in rows] == [PLAIN, PLAIN, EARLIER]
    assert [link.attrib["href"] for link in tree.iterfind(".//a")] == ["/admin/?name=order_created"]


def test_shares_of_nothing_say_so_in_words() -> None:
    tree = drawn("shares", Shares("Top names"))
    assert texts(tree, "./p") == ["Top names", "No events in this range."]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    series = [Series("stored", name, "chart-stored")]
    trees = [
        drawn("bars", Chart(name, series, minutes({"stored": 1}), unit=name)),
        drawn("bars", Chart(name, series, [], unit=name)),
        drawn("sparkline", Line(name, [1, 2], unit=name)),
        drawn("shares", Shares(name, [Share(name, 1, f"/admin/?name={name}")], unit=name)),
    ]
    for tree in trees:
        assert not [found for tag in ("script", "img") for found in tree.iter(tag)]
        assert not [found for found in tree.iter() if any(attribute.startswith("on") for attribute in found.attrib)]
        assert not [found for found in tree.iter() if "style" in found.attrib]
        assert name in "".join(tree.itertext())
    assert [link.attrib["href"] for link in trees[-1].iterfind(".//a")] == [f"/admin/?name={name}"]


@pytest.mark.parametrize("href", ["javascript:alert(1)", "//example.com", "/\\example.com", "https://example.com/"])
def test_chart_leads_nowhere_else(href: str) -> None:
    with pytest.raises(ValueError, match="this server alone"):
        Point(START, START, href, {})
    with pytest.raises(ValueError, match="this server alone"):
        Share("x", 1, href)
    with pytest.raises(ValueError, match="this server alone"):
        Series("x", "x", PLAIN, href)


def test_bar_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="below zero"):
        Point(START, START, "", {"stored": -1})


def test_no_class_is_one_that_unfold_draws_itself() -> None:
    tree = drawn("bars", chart(minutes({"stored": 1})))
    classes = {name for found in tree.iter() for name in found.attrib.get("class", "").split()}
    assert "chart" not in classes  # unfold's app.js takes each for a canvas
    assert classes
