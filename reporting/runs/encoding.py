"""Questions and answers as the texts in which a run keeps them. What is read is equal to what was written."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from keys.models import Partner
from reporting.ranges import Range
from reporting.reports.answer import Answer, Column, Kind, Table
from reporting.reports.question import BadQuestion, Question, zone_of


def question_text(question: Question) -> str:
    """Return the question as JSON, always the same text of the same question."""
    return _text(
        {
            "from": question.over.start.astimezone(UTC).isoformat(),
            "until": question.over.end.astimezone(UTC).isoformat(),
            "zone": str(question.zone),
            "partner": question.partner and question.partner.pk,
            "arguments": list(question.arguments),
            "options": dict(question.options),
        }
    )


def question_of(text: str) -> Question:
    """Return the question. Raises `BadQuestion` if its partner is gone."""
    found = json.loads(text)
    over = Range(datetime.fromisoformat(found["from"]), datetime.fromisoformat(found["until"]))
    partner = None
    if found["partner"] is not None:
        partner = Partner.objects.filter(pk=found["partner"]).first()
        if partner is None:
            raise BadQuestion("partner: there is none of this number any more")
    return Question(over, zone_of(found["zone"]), partner, tuple(found["arguments"]), found["options"])


def answer_text(answer: Answer) -> str:
    """Return the answer as JSON."""
    return _text(
        {
            "report": answer.report,
            "title": answer.title,
            # As pairs: what is stated first is shown first.
            "stated": list(answer.stated.items()),
            "tables": [_table(table) for table in answer.tables],
            "notes": list(answer.notes),
        }
    )


def answer_of(text: str) -> Answer:
    """Return the answer."""
    found = json.loads(text)
    tables = tuple(map(_table_of, found["tables"]))
    return Answer(found["report"], found["title"], dict(found["stated"]), tables, _texts(found))


def _text(value: Any) -> str:
    # ASCII: a database may refuse what a sender was allowed to write.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _table(table: Table) -> dict[str, Any]:
    kinds = [column.kind for column in table.columns]
    return {
        "name": table.name,
        "title": table.title,
        "columns": [[column.name, column.kind.value, column.sentence] for column in table.columns],
        "rows": [[_written(kind, value) for kind, value in zip(kinds, row, strict=True)] for row in table.rows],
        "notes": list(table.notes),
    }


def _table_of(found: Mapping[str, Any]) -> Table:
    columns = tuple(Column(name, Kind(kind), sentence) for name, kind, sentence in found["columns"])
    rows = tuple(
        tuple(_read(column.kind, value) for column, value in zip(columns, row, strict=True)) for row in found["rows"]
    )
    return Table(found["name"], found["title"], columns, rows, _texts(found))


def _texts(found: Mapping[str, Any]) -> Sequence[str]:
    return tuple(found["notes"])


def _written(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case Kind.COUNT:
            return int(value)
        case Kind.SHARE:
            return float(value)
        case Kind.MOMENT:
            return value.astimezone(UTC).isoformat()
        case _:
            return str(value)


def _read(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case Kind.AMOUNT:
            return Decimal(value)
        case Kind.MOMENT:
            return datetime.fromisoformat(value)
        case _:
            return value
