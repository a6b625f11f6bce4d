import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from reporting.formats.presentation import Presentation, render
from reporting.reports.answer import Answer, Column, Kind, Table
from runtime.display import on_page
from tests.reporting.formats.answers import HOSTILE, answer, hostile

HOW = Presentation(
    zone=ZoneInfo("Europe/Berlin"), command="manage.py report made --tz Europe/Berlin",
    made_at=datetime(2026, 11, 26, 15, tzinfo=UTC),
)  # fmt: skip


class Page(HTMLParser):
    """The tags, the attributes and the texts of a page."""

    def __init__(self, found: Answer, how: Presentation = HOW) -> None:
        super().__init__()
        self.source = render("html", found, how).decode()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts = [""]
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag, and begin a text."""
        self.tags.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        """Begin a text."""
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        """Add to the text."""
        self.texts[-1] += data


def test_page_has_all_that_the_answer_has() -> None:
    page = Page(answer())
    texts = [text.strip() for text in page.texts if text.strip()]
    for text in (
        "Made up", "Europe/Berlin", "By partner", "Beta's sender was asleep.", "One event is left out.", "12,345",
        "1,234,567,890,123,456,789.0123", "33.3 %", "2026-11-26 15:05:06", "When the last one came.", "Reasons",
        "manage.py report made --tz Europe/Berlin",
    ):  # fmt: skip
        assert text in texts, text
    assert any("Made 2026-11-26 15:00:00 UTC" in text for text in texts)


def test_page_loads_and_runs_nothing() -> None:
    page = Page(hostile())
    names = {name for _, attributes in page.tags for name in attributes}
    assert {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "a", "form", "base", "object"} == set()
    assert not {name for name in names if name in ("href", "src", "style", "srcset", "action") or name.startswith("on")}
    (policy,) = [
        attributes["content"]
        for _, attributes in page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none'; form-action 'none'", policy or ""
    )
    assert "url(" not in page.source
    assert "@import" not in page.source


def test_hostile_texts_are_texts() -> None:
    plain = replace(
        hostile(), title="t", tables=[replace(hostile().tables[0], title="t", rows=[("t",)] * len(HOSTILE))]
    )
    assert [tag for tag, _ in Page(hostile()).tags] == [tag for tag, _ in Page(plain).tags]
    shown = [text for text in Page(hostile()).texts if text]
    for text in HOSTILE[:-1]:
        # A parser makes one line break of two characters.
        assert on_page(text).replace("\r\n", "\n") in [found.replace("\r\n", "\n") for found in shown], text
    assert {c for c in Page(hostile()).source if not c.isprintable()} <= set("\n\t\r")


def bars(table: Table) -> list[str | None]:
    """The lengths of the bars of a table's rows."""
    return [
        attributes["width"]
        for tag, attributes in Page(answer(tables=(table,))).tags
        if attributes.get("class") == "part"
    ]


def made(kind: Kind, *values: object, currencies: tuple[str, ...] = ()) -> Table:
    columns = [Column("name", Kind.TEXT, ""), Column("it", kind, "")]
    if currencies:
        columns.append(Column("currency", Kind.TEXT, ""))
    rows = [("x", value, *currencies[n : n + 1]) for n, value in enumerate(values)]
    return Table("t", "T", columns, rows)


@pytest.mark.parametrize(
    ("table", "lengths"),
    [
        (made(Kind.COUNT, 4, 1, None, 0), ["100.00%", "25.00%", "0.00%", "0.00%"]),
        (made(Kind.SHARE, 0.5, 0.25), ["50.00%", "25.00%"]),
        (made(Kind.AMOUNT, Decimal(8), Decimal(-2), currencies=("EUR", "EUR")), ["100.00%", "0.00%"]),
        (made(Kind.AMOUNT, Decimal(8), Decimal(2), currencies=("EUR", "JPY")), []),
        (made(Kind.COUNT, 0, 0), []),
        (made(Kind.TEXT, "a"), []),
        # One row alone has nothing to be compared with, but for a share, which is of a whole.
        (made(Kind.COUNT, 4), []),
        (made(Kind.SHARE, 0.5), ["50.00%"]),
        # Steps have numbers, which name them.
        (
            Table("t", "T", [Column("step", Kind.COUNT, ""), Column("n", Kind.COUNT, "")], [(1, 4), (2, 1)]),
            ["100.00%", "25.00%"],
        ),
    ],
)
def test_bars_are_as_long_as_their_numbers(table: Table, lengths: list[str]) -> None:
    assert bars(table) == lengths


def test_every_row_has_a_cell_for_each_heading() -> None:
    page = Page(answer())
    table = page.source[page.source.index("<table>") : page.source.index("</table>")]
    cells = [len(re.findall(r"<t[hd]\b", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)]
    assert cells == [7, 7, 7, 7]
    assert Page(answer(tables=(Table("x", "X", (Column("a", Kind.TEXT, ""),), []),))).source.count('colspan="1"') == 1
