"""An answer on a terminal: what it depends on first, then aligned columns and what each of them is.

Whatever senders wrote is printed so that a terminal obeys none of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from reporting.formats.columns import GAP, Column, bands, fitted, width_of, wrapped
from reporting.formats.presentation import Presentation, tables, told_once
from reporting.formats.values import Words
from reporting.reports.answer import Answer, Kind, Table
from runtime.display import on_terminal

# Sentences are no longer than this where lines may be of any length: a file is read by people, too.
SENTENCES = 100
_NO_LIMIT = 1_000_000


def render(answer: Answer, how: Presentation) -> bytes:
    """Return the lines. Raises `BadQuestion` for a table that the answer does not have."""
    lines = [how.heading(on_terminal(answer.title)), *_pairs(answer.stated, how)]
    shown = tables(answer, how)
    for table, told in zip(shown, told_once(shown), strict=True):
        lines += ["", how.heading(on_terminal(table.title)), *_rows(table, how)]
        lines += _notes(table.notes, how)
        lines += ["", *_pairs({column.label: column.sentence for column in told}, how)] if told else []
    if answer.notes:
        lines += ["", *_notes(answer.notes, how)]
    return "".join(f"{line.rstrip()}\n" for line in lines).encode("utf-8", "backslashreplace")


def _pairs(pairs: Mapping[str, str], how: Presentation) -> Iterator[str]:
    """Yield a line for each pair, the names below each other and the values beside them, wrapped."""
    named = {on_terminal(name): on_terminal(value) for name, value in pairs.items()}
    name_width = max(map(width_of, named), default=0)
    for name, value in named.items():
        margin = " " * (name_width + 2 * GAP)
        room = max(20, min(how.width or SENTENCES, SENTENCES) - len(margin))
        for place, line in enumerate(wrapped(value, room)):
            beginning = f"  {name}{' ' * (name_width - width_of(name))}  "
            yield (margin if place else beginning) + line


def _notes(notes: Iterable[str], how: Presentation) -> Iterator[str]:
    for note in notes:
        yield from wrapped(on_terminal(note), min(how.width or SENTENCES, SENTENCES))


def _rows(table: Table, how: Presentation) -> Iterator[str]:
    if not table.rows:
        yield "no rows"
        return
    words = Words(table, how.zone)
    cells = [list(map(on_terminal, words.row(table.columns, row))) for row in table.rows]
    columns = [
        Column(on_terminal(column.label), of_column, column.kind.is_number, column.kind is Kind.TEXT)
        for column, of_column in zip(table.columns, zip(*cells, strict=True), strict=True)
    ]
    for place, band in enumerate(bands(columns, how.width or _NO_LIMIT)):
        if place:
            yield ""
        yield from _band(band, how)


def _band(band: Sequence[Column], how: Presentation) -> Iterator[str]:
    """Yield the lines of columns side by side; a heading stands at the bottom of its lines, a cell at the top."""
    widths = fitted(band, how.width or sum(column.natural + GAP for column in band))
    headings = [column.lines(column.heading, width) for column, width in zip(band, widths, strict=True)]
    height = max(map(len, headings))
    padded = [[" " * width] * (height - len(lines)) + lines for lines, width in zip(headings, widths, strict=True)]
    yield from _beside(padded, widths)
    yield (" " * GAP).join("-" * width for width in widths)
    for row in zip(*(column.cells for column in band), strict=True):
        yield from _beside(
            [column.lines(cell, width) for column, cell, width in zip(band, row, widths, strict=True)], widths
        )


def _beside(cells: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    for parts in zip_longest(*cells):
        yield (" " * GAP).join(" " * width if part is None else part for part, width in zip(parts, widths, strict=True))
