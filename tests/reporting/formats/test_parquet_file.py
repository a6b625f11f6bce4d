import io
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.parquet

from reporting.formats.presentation import Presentation, render
from reporting.reports.answer import Answer
from tests.reporting.formats.answers import HOSTILE, ROWS, answer, hostile


def read(found: Answer, how: Presentation = Presentation()) -> Any:  # noqa: B008  # it is frozen
    return pyarrow.parquet.read_table(io.BytesIO(render("parquet", found, how)))


def test_values_are_read_back_exactly() -> None:
    table = read(answer())
    assert [tuple(row.values()) for row in table.to_pylist()] == ROWS
    assert table.schema.names == ["partner", "events", "value", "currency", "share", "last_event"]
    assert table.schema.types == [
        pyarrow.string(), pyarrow.int64(), pyarrow.decimal128(38, 4), pyarrow.string(), pyarrow.float64(),
        pyarrow.timestamp("us", "UTC"),
    ]  # fmt: skip


def test_metadata_say_what_the_table_depends_on() -> None:
    schema = read(answer()).schema
    told = {name.decode(): value.decode() for name, value in schema.metadata.items()}
    assert (told["report"], told["title"], told["table"], told["table_title"]) == (
        "made", "Made up", "partners", "By partner",
    )  # fmt: skip
    assert json.loads(told["stated"]) == {"time zone": "Europe/Berlin"}
    assert json.loads(told["notes"]) == ["Beta's sender was asleep.", "One event is left out."]
    assert schema.field("value").metadata == {b"sentence": b"What they are worth.", b"kind": b"amount"}


def test_amount_with_more_decimals_keeps_them() -> None:
    first, second = answer().tables
    row = ("Acme", 1, Decimal("0.123456"), "EUR", 0.5, None)
    table = read(answer(tables=(replace(first, rows=[row]), second)))
    assert table.schema.field("value").type == pyarrow.decimal128(38, 6)
    assert table.to_pylist()[0]["value"] == Decimal("0.123456")


def test_table_without_rows_has_its_columns() -> None:
    first, second = answer().tables
    table = read(answer(tables=(replace(first, rows=[]), second)))
    assert (table.num_rows, table.num_columns, table.schema.field("value").type) == (0, 6, pyarrow.decimal128(38, 4))


def test_texts_are_the_same() -> None:
    assert read(hostile()).column("text").to_pylist() == list(HOSTILE)


def test_other_table_is_asked_for_by_its_name() -> None:
    assert read(answer(), Presentation(table="reasons")).to_pylist() == [{"reason": "none"}]
