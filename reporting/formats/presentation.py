"""How an answer is to be shown, and the formats that there are. A format is loaded when it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from importlib import import_module

from reporting.reports.answer import Answer, Column, Table
from reporting.reports.question import BadQuestion

# Each has a module with `render`. Parquet's needs 50 MiB, which the others do without.
_MODULES = {
    "table": "terminal",
    "csv": "csv_file",
    "json": "json_file",
    "parquet": "parquet_file",
    "html": "html_file",
}
FORMATS = tuple(_MODULES)
# A file of these has one table, and nothing but it.
OF_ONE_TABLE = ("csv", "parquet")
# A terminal cannot show these.
BINARY = ("parquet",)


@dataclass(frozen=True, slots=True)
class Presentation:
    """What a format has to know beside the answer.

    `table` is the name of the only table that is wanted. `width` is that of a terminal, in columns; None: of any width.
    `command` asks the same question again, and `made_at` says when it was asked.
    """

    zone: tzinfo = UTC
    table: str | None = None
    width: int | None = None
    heading: Callable[[str], str] = str
    command: str = ""
    made_at: datetime | None = None


def render(form: str, answer: Answer, how: Presentation) -> bytes:
    """Return the answer in one of `FORMATS`. Raises `BadQuestion` for a table that it does not have."""
    made: Callable[[Answer, Presentation], bytes] = import_module(f"reporting.formats.{_MODULES[form]}").render
    return made(answer, how)


def tables(answer: Answer, how: Presentation) -> Sequence[Table]:
    """Return the table that is asked for, or all. Raises `BadQuestion` for a table that the answer does not have."""
    if how.table is None:
        return answer.tables
    named: Mapping[str, Table] = {table.name: table for table in answer.tables}
    if how.table not in named:
        raise BadQuestion(f"table: {answer.report} has no table {how.table!r}; it has {', '.join(named)}")
    return (named[how.table],)


def one_table(answer: Answer, how: Presentation) -> Table:
    """Return the table that is asked for, else the first, which is the answer. Raises `BadQuestion` as `tables`."""
    return tables(answer, how)[0]


def told_once(shown: Sequence[Table]) -> list[list[Column]]:
    """Return for each table the columns whose sentences people need below it: no table before it has told them."""
    told: dict[str, str] = {}
    found = []
    for table in shown:
        new = [column for column in table.columns if column.sentence and told.get(column.name) != column.sentence]
        found.append(new if table.rows else [])
        told |= {column.name: column.sentence for column in found[-1]}
    return found
