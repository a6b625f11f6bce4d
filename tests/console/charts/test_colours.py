"""The colours of charts.css: every outcome has one, and they are apart for every kind of colour vision."""

import itertools
import re

import pytest

from console.charts import OUTCOMES
from tests.harness.server import ROOT

CSS = (ROOT / "console/static/console/charts.css").read_text()
# Of the usual three kinds of cones, and without those for long, middle and short waves (Machado et al. 2009).
VISIONS = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
Colour = tuple[float, ...]


def palette(selector: str) -> dict[str, Colour]:
    """The colours of a block by name, as linear light."""
    block = CSS.split(f"{selector} {{", 1)[1].split("}", 1)[0]
    found = {}
    for name, value in re.findall(r"--chart-(\w+): #([0-9a-f]{3,6});", block):
        full = value if len(value) == 6 else "".join(digit * 2 for digit in value)
        parts = [int(full[n : n + 2], 16) / 255 for n in (0, 2, 4)]
        found[name] = tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return found


def product(matrix: tuple[Colour, ...], colour: Colour) -> Colour:
    return tuple(sum(a * b for a, b in zip(row, colour, strict=True)) for row in matrix)


def oklab(colour: Colour) -> Colour:
    """The colour where equal distances look equal (Ottosson 2020), scaled by 100."""
    cones = ((0.41222, 0.53633, 0.05145), (0.21190, 0.68070, 0.10740), (0.08830, 0.28172, 0.62998))
    axes = ((0.21045, 0.79362, -0.00407), (1.97800, -2.42859, 0.45059), (0.02590, 0.78277, -0.80868))
    roots = tuple(max(0.0, part) ** (1 / 3) for part in product(cones, colour))
    return tuple(100 * part for part in product(axes, roots))


def contrast(one: Colour, other: Colour) -> float:
    """The ratio of WCAG 2."""
    light = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


@pytest.mark.parametrize("selector", [":root", ".dark"])
@pytest.mark.parametrize("vision", VISIONS)
def test_outcomes_are_apart_for_every_kind_of_colour_vision(selector: str, vision: str) -> None:
    colours = palette(selector)
    seen = {series.name: oklab(product(VISIONS[vision], colours[series.name])) for series in OUTCOMES}
    for one, other in itertools.combinations(seen, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert distance > 12, (one, other)


@pytest.mark.parametrize("selector", [":root", ".dark"])
def test_texts_and_bars_stand_out_from_the_ground(selector: str) -> None:
    colours = palette(selector)
    for name, ratio in {
        "text": 4.5,
        "strong": 4.5,
        "stored": 3,
        "rejected": 3,
        "conflict": 3,
        "unavailable": 3,
    }.items():
        assert contrast(colours[name], colours["ground"]) >= ratio, name
    for series in OUTCOMES:
        assert contrast(colours[series.name], colours["ground"]) >= 1.7, series.name


def test_each_outcome_has_a_class_that_fills_with_its_colour() -> None:
    for series in OUTCOMES:
        assert f".{series.css} {{ fill: var(--chart-{series.name}); }}" in CSS
