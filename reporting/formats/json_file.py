"""The whole answer as JSON. An amount is a text, since most readers would make a double of a number."""

import json
import re
from datetime import tzinfo
from typing import Any

from reporting.formats import values
from reporting.formats.presentation import Presentation, tables
from reporting.reports.answer import Answer, Kind, Table
from runtime.display import on_terminal

_NOT_ASCII = re.compile(r"[^\n -~]")


def render(answer: Answer, how: Presentation) -> bytes:
    """Return the answer as indented JSON. Raises `BadQuestion` for a table that the answer does not have."""
    shown = {
        "report": answer.report,
        "title": answer.title,
        "stated": dict(answer.stated),
        "notes": list(answer.notes),
        "tables": [_table(table, how.zone) for table in tables(answer, how)],
    }
    text = json.dumps(shown, ensure_ascii=False, allow_nan=False, indent=2)
    return (_NOT_ASCII.sub(_seen, text) + "\n").encode()


def _table(table: Table, zone: tzinfo) -> dict[str, Any]:
    names, kinds = [column.name for column in table.columns], [column.kind for column in table.columns]
    return {
        "name": table.name,
        "title": table.title,
        "notes": list(table.notes),
        "columns": [
            {"name": column.name, "kind": column.kind.value, "sentence": column.sentence} for column in table.columns
        ],
        "rows": [
            {name: _value(kind, value, zone) for name, kind, value in zip(names, kinds, row, strict=True)}
            for row in table.rows
        ],
    }


def _value(kind: Kind, value: Any, zone: tzinfo) -> Any:
    if value is None:
        return None
    match kind:
        case Kind.AMOUNT:
            return values.plain(value)
        case Kind.MOMENT:
            return values.iso(value, zone)
        case Kind.TEXT:
            return str(value)
        case _:
            return value


def _seen(match: re.Match[str]) -> str:
    """Return the character, or its escape in JSON if a terminal would obey it or show nothing: the text is the same."""
    character = match[0]
    is_plain = character.isprintable() and on_terminal(character) == character
    return character if is_plain else json.dumps(character)[1:-1]
