"""The files that a reconciliation writes: the whole comparison, and the missing events, which can be sent as they are.

A file is there only once it is whole. Only its owner may read it.
"""

import codecs
import csv
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
from msgspec import Raw

from collect.backfills.formats import cells, tables
from collect.backfills.formats.packing import SUFFIXES, packer
from collect.intake.contract import MAX_TEXT
from reporting.formats import output
from reporting.reconciling.classes import OfLine
from reporting.reconciling.comparison import Verdict
from reporting.reconciling.lines import Line
from reporting.reconciling.money import written
from reporting.reconciling.tables import WHOLE
from reporting.reconciling.wanted import Match
from reporting.reports.question import BadQuestion

Write = Callable[[Verdict], None]
_encode = msgspec.json.Encoder(decimal_format="number").encode


@contextmanager
def written_whole(path: str) -> Iterator[BinaryIO]:
    """Open a file that takes its name when the block ends, compressed by that name. Raises OSError."""
    with output.whole(path) as plain:
        pack = packer(path)
        if pack is None:
            yield plain
        else:
            with pack(plain) as packed:
                yield cast(BinaryIO, packed)


def check_name(path: str) -> None:
    """Raise `BadQuestion` if the name of a comparison's file does not tell its format."""
    if _format(path) not in _WRITERS:
        raise BadQuestion(f"--out {path}: its name ends in {', '.join(_WRITERS)}, with .gz or .zst behind it or not")


def _format(path: str) -> str:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() not in SUFFIXES]
    return suffixes[-1] if suffixes else ""


def whole(file: BinaryIO, path: str) -> Write:
    """Return what writes a verdict into the file of the comparison, as CSV or NDJSON by its name."""
    return _WRITERS[_format(path)](file)


def _csv(file: BinaryIO) -> Write:
    rows = csv.writer(codecs.getwriter("utf-8")(file))
    rows.writerow([field.column.name for field in WHOLE])
    return lambda verdict: rows.writerow([_cell(field.of(verdict)) for field in WHOLE])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return cells.guarded(value) if isinstance(value, str) else _plain(value)


def _ndjson(file: BinaryIO) -> Write:
    def write(verdict: Verdict) -> None:
        said = {field.column.name: field.of(verdict) for field in WHOLE}
        file.write(_encode({name: _json(value) for name, value in said.items() if value is not None}) + b"\n")

    return write


def _json(value: Any) -> Any:
    return str(value) if isinstance(value, str) else Raw(_plain(value)) if isinstance(value, Decimal) else value


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


_WRITERS: dict[str, Callable[[BinaryIO], Write]] = {".csv": _csv, ".ndjson": _ndjson, ".jsonl": _ndjson}


# --- what can be sent again ------------------------------------------------------------------------


def again(file: BinaryIO, match: Match) -> Write:
    """Return what writes a missing line into a file for /api/collect/batch; other verdicts are left out."""

    def write(verdict: Verdict) -> None:
        if verdict.of is OfLine.MISSING and verdict.line is not None:
            file.write(msgspec.json.encode(event_of(verdict.line, match)) + b"\n")

    return write


def event_of(line: Line, match: Match) -> dict[str, Any]:
    """Return the event that the line stands for, as the contract has it.

    One that is known by its order gets an event_id that follows from it, so that it is stored once however often the
    file is sent.
    """
    event_id, order_id = (line.id, line.other) if match is Match.EVENT_ID else (line.other or _event_id(line), line.id)
    params: dict[str, Any] = {} if order_id is None else {"order_id": order_id}
    if line.money.amount is not None:
        params |= {"value": Raw(written(line.money.amount)), "currency": line.money.currency}
    event: dict[str, Any] = {
        "event_name": line.name,
        "event_id": event_id,
        "tag_id": line.tag,
        "params": params or None,
    }
    if line.at is not None:
        event["timestamp"] = Raw(tables.seconds(line.at, 6))
    return {name: value for name, value in event.items() if value is not None}


def _event_id(line: Line) -> str:
    text = f"reconcile:{line.name}:{line.id}"
    return text if len(text) <= MAX_TEXT else f"reconcile:{hashlib.sha256(text.encode()).hexdigest()}"
