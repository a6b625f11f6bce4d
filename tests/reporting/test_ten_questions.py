"""The ten questions of docs/reporting.md: SQL, Python and command are run as they stand there, and give equal rows."""

import csv
import io
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from reporting.rollups.running import Rollup
from tests.harness import commands
from tests.harness.server import ROOT
from tests.reporting.views.events import stored

pytestmark = pytest.mark.django_db

# Who sent it, when it happened (of November 2026, unless a month is named), how many seconds later it came, its name,
# its ids (`client` is `client_id`) and country, and its params in JSON.
MONTH = """
acme   10-10T10:00         0 contents_viewed client=mia click=clk_5
acme   10-30T10:00    172800 order_created   client=ann country=DE event=p1 click=clk_7 value=11 currency="EUR"
acme   10-31T20:00         0 contents_viewed client=ann country=DE
acme   01T00:00            0 contents_viewed client=ann country=DE click=clk_1
acme   02T09:00            0 contents_viewed client=bob country=DE impression=imp_1
acme   02T18:14:59         5 items_added     client=bob country=DE
acme   02T18:15            5 items_added     client=bob country=DE
acme   03T08:00            0 order_created   client=bob country=DE event=o1 value=58.10 currency="EUR" items=[1]
acme   03T08:00           60 order_created   client=bob country=DE event=o1 tag=server value=58.1 currency="eur"
acme   04T11:00            0 items_added     client=ann country=FR impression=imp_2
acme   04T12:00            0 order_created   client=ann country=FR event=o2 value=49.9 currency="EUR" coupon=null
acme   04T12:00           60 order_created   client=ann country=FR event=o2 tag=server value=50 currency="EUR"
acme   05T10:00            0 order_created   client=ann country=FR click=clk_2 value=120 currency="USD" coupon=1
acme   06T09:00            0 contents_viewed client=ann country=FR
acme   06T10:00            0 order_created   client=cid event=o4 value="58.00" currency="EUR"
acme   06T11:00            0 lead_created    client=cid event=l1 value=5
acme   06T11:00            9 lead_created    client=cid event=l1 tag=server value=5
acme   07T09:00            0 contents_viewed session=s1 click=clk_3
acme   07T10:00            0 order_created   session=s1 event=o5 value=10 currency="EURO"
acme   08T10:00            0 order_created   click=clk_6 value=100000000000 currency="EUR"
acme   09T10:00            0 contents_viewed
acme   09T10:00            0 order_created   client=mia event=o10 value=3 currency="EUR"
acme   10T10:00            0 contents_viewed client=dan country=US
acme   11T10:00            0 contents_viewed client=fay country=US
acme   12T10:00            0 order_created   client=tess event=o0 is_test=yes value=999 currency="EUR"
acme   13T10:00        93600 items_added     client=ann country=DE
acme   14T10:00       604801 items_added     client=bob
acme   15T10:00        86400 items_added     client=ann
acme   15T11:00       604800 items_added     client=cid
acme   16T09:00            0 items_added     client=dan country=US impression=imp_6
acme   17T10:00            0 order_created   client=dan country=US event=o6 value=20 currency="EUR"
acme   18T09:59:59         0 order_created   client=fay country=US event=o7 value=30.005 currency="EUR"
acme   19T10:00            0 contents_viewed client=kim
acme   19T10:00            0 order_created   client=kim event=o9 value=2 currency="EUR"
acme   22T10:00            0 contents_viewed client=ned impression=imp_5
acme   23T10:00            0 order_created   client=ned event=o11 value=4 currency="EUR"
acme   30T23:59:59         0 contents_viewed client=gus country=AT
acme   12-01T00:00         0 contents_viewed client=zoe
acme   12-01T00:00    172800 order_created   client=zoe event=o12 click=clk_10 value=70 currency="EUR"
acme   12-07T23:59:58      0 order_created   client=gus country=AT event=o8 value=70 currency="EUR"
globex 10-21T09:00         0 contents_viewed client=hal click=clk_8
globex 10-31T18:14:59      0 items_added     client=hal
globex 10-31T18:15         0 items_added     client=hal
globex 01T00:00       172800 order_created   client=eve event=e1 click=clk_0 value=8 currency="EUR"
globex 01T05:00            0 contents_viewed client=ann country=DE click=clk_9
globex 10T09:00            0 items_added     client=hal click=clk_8
globex 12T09:00            0 items_added     client=tess is_test=yes
globex 20T05:00            0 order_created   client=ann country=DE event=o1 value=5000 currency="JPY"
globex 20T10:00            0 order_created   client=hal event=o9 value=15.5 currency="EUR"
globex 21T05:00            0 order_created   client=eve value=0 currency="JPY"
globex 21T05:00            0 order_created   client=eve click=clk_4 value=250 currency="JPY"
globex 22T12:00            0 order_created   client=ann event=o2 value=-20 currency="USD"
globex 23T10:00            0 trial_started   client=ann event=o10
globex 30T18:14:59         0 items_added     client=hal
globex 30T18:15            0 items_added     client=hal
"""
PARAMS = ("value", "currency", "coupon", "items")
FIELDS = {"country": "geo_country", "is_test": "is_test"}
COUNTED_UNTIL = datetime(2026, 11, 12, tzinfo=UTC)

# What a person counts in the lines above.
ACME_DAYS = {
    **{1: 2, 2: 2, 3: 3, 4: 3, 5: 1, 6: 4, 7: 2, 8: 1, 9: 2, 10: 1, 11: 1, 13: 1, 14: 1, 15: 2, 16: 1, 17: 1, 18: 1},
    **{19: 2, 22: 1, 23: 1},
}
GLOBEX_DAYS = {1: 3, 10: 1, 20: 2, 21: 2, 22: 1, 23: 1, 30: 1}
COUNTED: dict[int, Sequence[Sequence[Any]]] = {
    1: [(44, 12)],
    2: sorted(
        (f"2026-11-{day:02}", partner, events)
        for partner, days in (("acme", ACME_DAYS), ("globex", GLOBEX_DAYS))
        for day, events in days.items()
    ),
    # The orders o1 and o2 of acme are two events each.
    3: [("EUR", 11, "298.605", "27.1459"), ("JPY", 3, 5250, 1750), ("USD", 2, 100, 50)],
    4: [
        ("no_currency", 2),
        ("unknown_currency", 1),
        ("value_not_a_number", 1),
        ("value_out_of_range", 1),
        ("no value", 23),
    ],
    5: [("AT", 1, 1), ("DE", 7, 2), ("FR", 5, 1), ("US", 5, 2), ("", 15, 6)],
    6: [("lead_created", 2, 1, 1), ("order_created", 19, 17, 2), ("trial_started", 1, 1, 0)],
    # Not dan, whose order is exactly 7 days later, and not ann of globex; gus ordered in December.
    7: [(1, 9), (2, 7)],
    # Not hal, whose click is an hour too old, by the first event that shows it, and not dan, who saw an ad an hour too
    # early. The click of mia and the view of ned are exactly as old as they may be.
    8: [
        ("click", "clk_4", "JPY", 2, 250),
        ("click", "clk_0", "EUR", 1, 8),
        ("click", "clk_1", "EUR", 1, "49.9"),
        ("click", "clk_2", "USD", 1, 120),
        ("click", "clk_3", "", 1, ""),
        ("click", "clk_5", "EUR", 1, 3),
        ("click", "clk_6", "", 1, ""),
        ("click", "clk_9", "JPY", 1, 5000),
        ("click", "clk_9", "USD", 1, -20),
        ("click", "clk_9", "", 1, ""),
        ("view", "imp_1", "EUR", 1, "58.1"),
        ("view", "imp_5", "EUR", 1, 4),
    ],
    9: [("coupon", 1), ("currency", 19), ("items", 1), ("value", 19)],
    10: [("within a week", 3), ("later", 1)],
}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the text, and the databases that it is for."""

    language: str
    text: str
    vendors: Sequence[str]


def section() -> str:
    """The section of the ten questions."""
    return (ROOT / "docs" / "reporting.md").read_text().partition("\n## Ten questions\n")[2].partition("\n## ")[0]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a text. One is for the database that the line before it names, else for both."""
    found = []
    for before, language, block in re.findall(r"([^\n]*)\n\n```(\w+)\n(.*?)\n```", text, re.DOTALL):
        named = [vendor for vendor in ("postgresql", "sqlite") if before.lower().startswith(vendor)]
        found.append(Block(language, block, named or ("postgresql", "sqlite")))
    return found


INTRODUCTION, *_QUESTIONS = re.split(r"^### \d+\. ", section(), flags=re.MULTILINE)
QUESTIONS = dict(enumerate(_QUESTIONS, 1))


@pytest.fixture
def month() -> None:
    """Store the month, and count those that arrived in its first days."""
    for line in MONTH.strip().splitlines():
        partner, happened, late, event_name, *words = line.split()
        given = dict(word.split("=") for word in words)
        params = ",".join(f'"{name}":{given.pop(name)}' for name in PARAMS if name in given)
        fields: dict[str, Any] = {FIELDS.get(name, f"{name}_id"): value for name, value in given.items()}
        fields |= {"event_name": event_name, "params": f"{{{params}}}", "is_test": "is_test" in given}
        moment = datetime.fromisoformat(f"2026-{happened if '-' in happened else f'11-{happened}'}+00:00")
        stored(partner, timestamp=moment, received_at=moment + timedelta(seconds=int(late)), **fields)
    list(Rollup().run(COUNTED_UNTIL))


def cell(value: Any) -> str:
    """A cell as text, the same for a number whatever its type: to twelve decimals, without zeros at the end."""
    text = "" if value is None else str(value)
    if not re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", text, re.IGNORECASE):
        return text
    return f"{Decimal(text):.12f}".rstrip("0").removesuffix(".")


def cells(rows: Sequence[Sequence[Any]] | Iterator[Sequence[Any]]) -> list[list[str]]:
    """Rows of texts."""
    return [[cell(value) for value in row] for row in rows]


def of_sql(text: str) -> list[list[str]]:
    """The rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cells(cursor.fetchall())


def of_python(text: str) -> list[list[str]]:
    """The rows that are called `answer` in the end, after the lines of the introduction."""
    (begin,) = (block.text for block in blocks(INTRODUCTION) if block.language == "python")
    names: dict[str, Any] = {}
    exec(begin, names)  # noqa: S102  # the documentation's own
    exec(text, names)  # noqa: S102  # as above
    assert text.splitlines()[-1].startswith("answer = ")
    return cells(names["answer"])


def of_command(text: str) -> list[list[str]]:
    """The rows of a command, below their names. What stands behind a pipe is run by a shell."""
    command, _, pipe = text.replace("\\\n", " ").partition(" | ")
    python, manage, *arguments = shlex.split(command)
    assert (python, manage) == (".venv/bin/python", "manage.py")
    written, _ = commands.run(*arguments)
    if pipe:
        written = subprocess.run(["sh", "-c", pipe], input=written, capture_output=True, text=True, check=True).stdout
    names, *rows = csv.reader(io.StringIO(written))
    assert not any(re.search(r"\d", name) for name in names)
    return cells(rows)


RUN = {"sql": of_sql, "python": of_python, "sh": of_command}


@pytest.mark.usefixtures("month")
@pytest.mark.parametrize("number", QUESTIONS)
def test_sql_python_and_command_give_the_rows_that_a_person_counts(number: int) -> None:
    found = [block for block in blocks(QUESTIONS[number]) if connection.vendor in block.vendors]
    assert [block.language for block in found] == ["sql", "python", "sh"]
    answers = {block.language: RUN[block.language](block.text) for block in found}
    assert answers == dict.fromkeys(answers, cells(COUNTED[number]))


def test_there_are_ten_questions_each_asked_in_every_way() -> None:
    assert sorted(QUESTIONS) == list(range(1, 11)) == sorted(COUNTED)
    for number, text in QUESTIONS.items():
        heading, _, what_to_mind = text.partition("\n\n")
        assert heading.endswith("?"), number
        assert not what_to_mind.startswith(("```", "PostgreSQL", "SQLite")), number
        assert text.count("```") == 2 * len(blocks(text)), number
