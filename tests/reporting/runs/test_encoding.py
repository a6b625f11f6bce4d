"""What a run keeps is what was asked and answered, whatever the values are."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.ranges import Range
from reporting.reports.answer import Answer, Column, Kind, Table
from reporting.reports.question import BadQuestion, Question
from reporting.runs import encoding
from tests.harness import factories
from tests.reporting.formats.answers import answer, hostile

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
ZONES = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), timezone(timedelta(hours=5, minutes=45))])
VALUES = {
    Kind.TEXT: TEXTS,
    Kind.COUNT: st.integers(),
    Kind.AMOUNT: st.decimals(allow_nan=False, allow_infinity=False),
    Kind.SHARE: st.floats(0, 1),
    Kind.MOMENT: st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES),  # bounds are naive
}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = draw(st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=5))
    columns = tuple(Column(draw(TEXTS), kind, draw(TEXTS)) for kind in kinds)
    row = st.tuples(*(st.none() | VALUES[kind] for kind in kinds))
    rows = tuple(draw(st.lists(row, max_size=4)))
    return Table(draw(TEXTS), draw(TEXTS), columns, rows, tuple(draw(st.lists(TEXTS, max_size=2))))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    found = tuple(draw(st.lists(tables(), max_size=3)))
    stated = draw(st.dictionaries(TEXTS, TEXTS, max_size=3))
    return Answer(draw(TEXTS), draw(TEXTS), stated, found, tuple(draw(st.lists(TEXTS, max_size=2))))


def spelled(found: Answer) -> str:
    """All of the answer, with the types and digits of its values and the order of what it states."""
    rows = [
        [(type(value), value.timestamp() if isinstance(value, datetime) else str(value)) for value in row]
        for table in found.tables
        for row in table.rows
    ]
    return f"{found.report!r} {list(found.stated.items())} {rows}"


@given(answers())
def test_answer_comes_back_as_it_went(found: Answer) -> None:
    text = encoding.answer_text(found)
    assert text.isascii()
    back = encoding.answer_of(text)
    assert back == found
    assert spelled(back) == spelled(found)


def test_money_keeps_its_digits_and_hostile_texts_their_characters() -> None:
    back = encoding.answer_of(encoding.answer_text(answer()))
    assert str(back.tables[0].rows[0][2]) == "1234567890123456789.0123"
    assert [row[0] for row in encoding.answer_of(encoding.answer_text(hostile())).tables[0].rows] == [
        row[0] for row in hostile().tables[0].rows
    ]


def test_value_of_another_type_is_written_as_what_its_column_says() -> None:
    columns = (Column("n", Kind.COUNT, ""), Column("a", Kind.AMOUNT, ""), Column("s", Kind.SHARE, ""))
    given_row = (Decimal(3), 5, 1)
    (table,) = encoding.answer_of(
        encoding.answer_text(Answer("x", "X", {}, (Table("t", "T", columns, [given_row]),)))
    ).tables
    assert [(type(value), value) for value in table.rows[0]] == [(int, 3), (Decimal, Decimal(5)), (float, 1.0)]


@pytest.mark.django_db
def test_question_comes_back_and_has_one_text() -> None:
    partner = factories.partner("Acme")
    start = datetime(2026, 3, 29, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    over = Range(start.astimezone(UTC), datetime(2026, 4, 1, tzinfo=UTC))
    asked = Question(over, ZoneInfo("Europe/Berlin"), partner, ("a b", "ü"), {"by": "tag", "a": "1"})
    text = encoding.question_text(asked)
    assert encoding.question_of(text) == asked
    other = Question(Range(start, over.end), asked.zone, partner, ("a b", "ü"), {"a": "1", "by": "tag"})
    assert encoding.question_text(other) == text
    assert encoding.question_of(encoding.question_text(Question(over))) == Question(over)
    partner.delete()
    with pytest.raises(BadQuestion, match="partner"):
        encoding.question_of(text)


def test_questions_that_differ_have_other_texts() -> None:
    over = Range(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    questions = [
        Question(over),
        Question(Range(over.start, over.end + timedelta(microseconds=1))),
        Question(over, ZoneInfo("Asia/Tokyo")),
        Question(over, arguments=("a", "b")),
        Question(over, arguments=("a b",)),
        Question(over, options={"by": "tag"}),
    ]
    texts = [encoding.question_text(one) for one in questions]
    assert len(set(texts)) == len(questions)
    assert all(json.loads(text) for text in texts)
