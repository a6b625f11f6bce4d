"""What the `params` of an event have in them: every key, its types, how often it is there, and examples."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
from django.db.models import TextField
from django.db.models.functions import Cast

from collect.intake.contract import STANDARD_EVENTS
from reporting.reports import reported, shapes
from reporting.reports.answer import Answer, Column, Kind, Table
from reporting.reports.question import Question
from reporting.reports.registry import Argument, Report, near
from reporting.reports.shapes import Shape
from runtime.display import number

# A number is what its digits say: a double would change it.
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode

_PATH = Column(
    "path",
    Kind.TEXT,
    "Where the value stands in params: keys of nested objects are joined by dots, [] stands for each element of an "
    "array, and a key with a dot, a bracket or a quote in it is quoted.",
)
_PATHS = (
    _PATH,
    Column("share", Kind.SHARE, "The part of all events that has a value there; null is none."),
    Column("events", Kind.COUNT, "Events that have a value there; null is none."),
    Column("types", Kind.TEXT, "The JSON types of the values, and how many values have each; null among them."),
    Column(
        "examples",
        Kind.TEXT,
        f"Up to {shapes.EXAMPLES} distinct values as JSON, cut to {shapes.LONGEST_EXAMPLE} characters: always the same "
        "ones of the same values.",
    ),
    Column("smallest", Kind.TEXT, "The smallest of the numbers, with all its digits; unknown without one."),
    Column("largest", Kind.TEXT, "The largest of the numbers, with all its digits; unknown without one."),
    Column("longest", Kind.COUNT, "The characters of the longest text; unknown without one."),
)
_TYPES = (
    _PATH,
    Column("type", Kind.TEXT, "The JSON type."),
    Column("values", Kind.COUNT, "Values of this type there. An array may give an event several."),
)


def shape(question: Question) -> Shape:
    """Return the shape of the params of all events of the name. Their texts are read one after another."""
    (name,) = question.arguments
    named = reported.events(question).filter(event_name=name)
    found = Shape()
    for text in reported.stream(named.annotate(text=Cast("params", TextField())).values_list("text", flat=True)):
        found.add(_decode(text))
    return found


def answer(question: Question) -> Answer:
    """Return each path of the params with what is there. Raises `django.db.Error`."""
    (name,) = question.arguments
    found = shape(question)
    stated = question.stated() | {"event": name, "share of": f"{number(found.documents)} events of this name"}
    return Answer(
        "params",
        f"Params of {name}",
        stated,
        (
            Table("paths", "What params have in them", _PATHS, [*_rows(found)], [*_left_out(found)]),
            Table("types", "Types by path", _TYPES, [*_types(found)]),
        ),
        [*_nothing(name, found)],
    )


def _rows(found: Shape) -> Iterator[tuple[Any, ...]]:
    for name, path in shapes.paths(found):
        types = ", ".join(f"{kind} {number(path.types[kind])}" for kind in shapes.TYPES if path.types[kind])
        smallest, largest = (None if value is None else shapes.number(value) for value in (path.least, path.largest))
        share = path.documents / found.documents
        yield name, share, path.documents, types, ", ".join(path.examples), smallest, largest, path.longest


def _types(found: Shape) -> Iterator[tuple[Any, ...]]:
    for name, path in shapes.paths(found):
        for kind in shapes.TYPES:
            if values := path.types[kind]:
                yield name, kind, values


def _left_out(found: Shape) -> Iterator[str]:
    if found.values_left_out:
        paths = found.paths_left_out
        others = f"{number(paths)} or more" if paths == shapes.MOST_OTHERS else number(paths)
        yield (
            f"Left out: {number(found.values_left_out)} values at {others} other paths. {shapes.MOST_PATHS} paths are "
            f"followed, those that were met first, and none of more than {shapes.LONGEST_PATH} characters. Are there "
            "ids among the keys?"
        )


def _nothing(name: str, found: Shape) -> Iterator[str]:
    if not found.documents:
        meant = "" if name in STANDARD_EVENTS else near(name, list(STANDARD_EVENTS)).partition(";")[0]
        yield f"No event of the name {name} happened in the range{meant}"


REPORT = Report(
    "params",
    "Params of an event",
    "What the params of events of one name have in them: every key, its types, how often it is there, and examples.",
    answer,
    (Argument("EVENT", "the name of the events, exactly as it is sent"),),
)
