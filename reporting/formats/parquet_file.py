"""One table as Parquet: exact types, and what the table depends on in the metadata of the file."""

import io
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.parquet

from reporting.formats import values
from reporting.formats.presentation import Presentation, one_table
from reporting.reports.answer import Answer, Column, Kind

# Money has four decimals, those of the finest currency, unless an amount needs more.
_DIGITS, _DECIMALS = 38, 4
_TYPES = {
    Kind.TEXT: pyarrow.string(),
    Kind.COUNT: pyarrow.int64(),
    Kind.SHARE: pyarrow.float64(),
    Kind.MOMENT: pyarrow.timestamp("us", "UTC"),
}


def render(answer: Answer, how: Presentation) -> bytes:
    """Return the table that is asked for. Raises `BadQuestion` for a table that the answer does not have."""
    table = one_table(answer, how)
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    fields = [_field(column, cells) for column, cells in zip(table.columns, columns, strict=True)]
    metadata = {
        "report": answer.report,
        "title": answer.title,
        "table": table.name,
        "table_title": table.title,
        "stated": json.dumps(dict(answer.stated), ensure_ascii=False),
        "notes": json.dumps([*table.notes, *answer.notes], ensure_ascii=False),
    }
    schema = pyarrow.schema(fields, metadata=metadata)
    arrays = [
        pyarrow.array([_value(column.kind, value) for value in cells], field.type)
        for column, cells, field in zip(table.columns, columns, fields, strict=True)
    ]
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), file, compression="zstd")
    return file.getvalue()


def _field(column: Column, cells: Sequence[Any]) -> Any:
    kind = _decimal(cells) if column.kind is Kind.AMOUNT else _TYPES[column.kind]
    return pyarrow.field(column.name, kind, metadata={"sentence": column.sentence, "kind": column.kind.value})


def _decimal(cells: Sequence[Decimal | None]) -> Any:
    most = max((values.decimals(cell) for cell in cells if cell is not None), default=0)
    return pyarrow.decimal128(_DIGITS, max(_DECIMALS, most))


def _value(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind is Kind.AMOUNT:
        return Decimal(value)
    return str(value) if kind is Kind.TEXT else value
