"""Answers for tests: one with a value of each kind, and texts that a sender could want somebody to open."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from reporting.reports.answer import Answer, Column, Kind, Table

COLUMNS = (
    Column("partner", Kind.TEXT, "Who sent the events."),
    Column("events", Kind.COUNT, "How many there are."),
    Column("value", Kind.AMOUNT, "What they are worth."),
    Column("currency", Kind.TEXT, "In which currency."),
    Column("share", Kind.SHARE, "Their part of all."),
    Column("last_event", Kind.MOMENT, "When the last one came."),
)
MOMENT = datetime(2026, 11, 26, 14, 5, 6, 789_000, UTC)
ROWS: list[tuple[Any, ...]] = [
    ("Acme", 12_345, Decimal("1234567890123456789.0123"), "EUR", 1 / 3, MOMENT),
    ("Beta", 0, Decimal("-7"), "JPY", 0.0, datetime(2026, 7, 1, tzinfo=UTC)),
    (None, None, None, None, None, None),
]
SECOND = Table("reasons", "Reasons", (Column("reason", Kind.TEXT, ""),), [("none",)])

HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "'quoted",
    "\t=1",
    "\r=1",
    'two\r\nlines, a comma and a "quote"',
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    '"><svg onload=alert(3)>',
    "{{ 7|add:7 }}{% include 'docs.html' %}",
    "\x1b]0;owned\x07\x1b[31mred",
    "\x9b2J\x85",
    "invoice\u202egpj.exe",
    "zero\u200bwidth\u2066\ufeff",
    "",
)


def answer(**fields: Any) -> Answer:
    """An answer of two tables."""
    first = Table("partners", "By partner", COLUMNS, ROWS, ["Beta's sender was asleep."])
    usual = Answer("made", "Made up", {"time zone": "Europe/Berlin"}, (first, SECOND), ["One event is left out."])
    return replace(usual, **fields)


def hostile() -> Answer:
    """An answer in which every text is hostile."""
    column = Column("text", Kind.TEXT, HOSTILE[8])
    table = Table("texts", HOSTILE[8], (column,), [(text,) for text in HOSTILE], HOSTILE)
    return Answer("hostile", HOSTILE[8], {HOSTILE[9]: HOSTILE[11]}, (table,), HOSTILE)
