"""Values of every type that Arrow has come out of Parquet as what they are, or are refused in words."""

import datetime as dt
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet
import pytest

from collect.backfills.formats.reading import RecordFile
from collect.backfills.formats.records import Record
from collect.backfills.run import BackfillError
from collect.models import Event
from tests.collect.backfills.importing.loading import Loader, lines

INSTANT, NANOSECONDS = dt.datetime(2025, 5, 26, 16, 0, 0, 500_000, dt.UTC), 1_748_275_200_123_456_789
DAY = dt.date(2025, 5, 26)


def parquet(path: Path, **columns: Any) -> Path:
    """A file of one event with these columns, and the same with all of them absent."""
    table = pa.table(
        {"event_name": ["a", "b"], **{name: pa.concat_arrays([cell, pa.nulls(1, cell.type)])
                                      for name, cell in columns.items()}}
    )  # fmt: skip
    pyarrow.parquet.write_table(table, path)
    return path


def read(path: Path) -> list[Record]:
    with path.open("rb") as file:
        return list(RecordFile(str(path), file, None).records(None))


def one(value: Any, type: Any) -> Any:
    return pa.array([value], type)


VALUES = {
    "int8": (one(-5, pa.int8()), "-5"),
    "uint64": (one(2**64 - 1, pa.uint64()), "18446744073709551615"),
    "float16": (one(1.5, pa.float16()), "1.5"),
    "float32": (one(0.5, pa.float32()), "0.5"),
    "float64": (one(58.1, pa.float64()), "58.1"),
    "decimal32": (one(Decimal("58.00"), pa.decimal32(9, 2)), "58.00"),
    "decimal64": (one(Decimal("58.00"), pa.decimal64(18, 2)), "58.00"),
    "decimal128": (one(Decimal("-58.00"), pa.decimal128(38, 2)), "-58.00"),
    "decimal256": (one(Decimal("12345678901234567890123456789012345678901234.5"), pa.decimal256(60, 1)),
                   "12345678901234567890123456789012345678901234.5"),
    "bool": (one(True, pa.bool_()), "true"),
    "bool8": (one(1, pa.bool8()), "true"),
    "string": (one("12", pa.string()), '"12"'),
    "large_string": (one("ü", pa.large_string()), '"ü"'),
    "string_view": (one("ü", pa.string_view()), '"ü"'),
    "binary": (one(b"text", pa.binary()), '"text"'),
    "large_binary": (one(b"text", pa.large_binary()), '"text"'),
    "binary_view": (one(b"text", pa.binary_view()), '"text"'),
    "timestamp s": (one(INSTANT.replace(microsecond=0), pa.timestamp("s", "UTC")), '"2025-05-26T16:00:00Z"'),
    "timestamp ms": (one(INSTANT, pa.timestamp("ms", "Europe/Berlin")), '"2025-05-26T16:00:00.500Z"'),
    "timestamp us": (one(INSTANT.replace(tzinfo=None), pa.timestamp("us")), '"2025-05-26T16:00:00.500000"'),
    "timestamp ns": (one(NANOSECONDS, pa.timestamp("ns", "UTC")), '"2025-05-26T16:00:00.123456789Z"'),
    "date32": (one(DAY, pa.date32()), '"2025-05-26"'),
    "date64": (one(DAY, pa.date64()), '"2025-05-26"'),
    "time32": (one(dt.time(8, 36, 39), pa.time32("s")), '"08:36:39"'),
    "time64": (one(1, pa.time64("ns")), '"00:00:00.000000001"'),
    "duration": (one(dt.timedelta(seconds=90.5), pa.duration("ms")), '"PT90.5S"'),
    "dictionary": (one("x", pa.string()).dictionary_encode(), '"x"'),
    "moments in a dictionary":
        (one(INSTANT, pa.timestamp("ms", "UTC")).dictionary_encode(), '"2025-05-26T16:00:00.500Z"'),
    "list": (one([Decimal("1.50"), None], pa.list_(pa.decimal128(5, 2))), "[1.50,null]"),
    "large_list": (one([1], pa.large_list(pa.int8())), "[1]"),
    "fixed_size_list": (one([1, 2], pa.list_(pa.int8(), 2)), "[1,2]"),
    "struct": (one({"t": NANOSECONDS, "n": None}, pa.struct([("t", pa.timestamp("ns")), ("n", pa.int8())])),
               '{"t":"2025-05-26T16:00:00.123456789","n":null}'),
    "map": (one([("k", [1]), ("l", None)], pa.map_(pa.string(), pa.list_(pa.int8()))), '{"k":[1],"l":null}'),
    "map of numbers": (one([(1, "x")], pa.map_(pa.int32(), pa.string())), '{"1":"x"}'),
    "uuid": (one(UUID(int=1).bytes, pa.uuid()), '"00000000-0000-0000-0000-000000000001"'),
    "json": (one('{"n": 1.50}', pa.json_()), '{"n": 1.50}'),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_value_is_what_it_is(tmp_path: Path, name: str) -> None:
    value, expected = VALUES[name]
    path = parquet(tmp_path / "events.parquet", campaign=value, **{"params.x": value})
    full, empty = read(path)
    assert full.body.decode() == f'{{"event_name":"a","campaign":{expected},"params":{{"x":{expected}}}}}'
    assert (full.fault, empty.body) == (None, b'{"event_name":"b"}')


def test_column_of_nothing_is_absent(tmp_path: Path) -> None:
    path = parquet(tmp_path / "events.parquet", nothing=pa.nulls(1), __index_level_0__=one(7, pa.int8()))
    assert read(path)[0].body == b'{"event_name":"a"}'


REFUSED = {
    "NaN": (one(math.nan, pa.float64()), "NaN is no number that JSON has", "<nan>"),
    "Infinity": (one([-math.inf], pa.list_(pa.float32())), "Infinity is no number that JSON has", "<[-inf]>"),
    "bytes": (one(b"\xaa", pa.binary()), "binary that is no UTF-8 text", r"<b'\xaa'>"),
    "bytes of a fixed number": (one(b"\x03\x00", pa.binary(2)), r"fixed_size_binary\[2\] has no form in JSON", "<"),
    "keys that stand twice": (one([("k", 1), ("k", 2)], pa.map_(pa.string(), pa.int8())), "key", "<"),
    "year 60000": (one(10**15, pa.timestamp("ms")), "outside of the years", "<1000000000000000>"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_value_that_json_cannot_hold_is_refused_with_its_row(tmp_path: Path, name: str) -> None:
    value, words, shown = REFUSED[name]
    record, other = read(parquet(tmp_path / "events.parquet", campaign=value))
    assert record.fault is not None
    assert re.search(f"campaign: .*{words}", record.fault.detail)
    assert record.body.decode().startswith(f'{{"event_name":"a","campaign":{shown}')
    assert other.fault is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (one(INSTANT, pa.timestamp("ms", "Europe/Berlin")), INSTANT),
        (one(INSTANT.replace(tzinfo=None), pa.timestamp("us")), INSTANT),
        (one(NANOSECONDS, pa.timestamp("ns", "UTC")), INSTANT.replace(microsecond=123_457)),
        (one(dt.datetime(6000, 1, 1), pa.timestamp("s")), dt.datetime(6000, 1, 1, tzinfo=dt.UTC)),
        (one(DAY, pa.date32()), dt.datetime(2025, 5, 26, tzinfo=dt.UTC)),
        (one(Decimal("1748275200.50"), pa.decimal128(14, 2)), INSTANT),
        (one(1_748_275_200_500, pa.int64()), INSTANT),
        (one(1_748_275_200.5, pa.float64()), INSTANT),
        (one(INSTANT, pa.timestamp("ms", "UTC")).dictionary_encode(), INSTANT),
    ],
)
def test_moments_are_taken_as_timestamps(load: Loader, value: Any, moment: dt.datetime) -> None:
    parquet(load.path / "events.parquet", timestamp=value)
    assert load(None, "events.parquet") == {"stored": 2}
    assert Event.objects.get(event_name="a").timestamp == moment


@pytest.mark.django_db(transaction=True)
def test_receipt_is_taken_from_moments_too(load: Loader) -> None:
    parquet(load.path / "events.parquet", received_at=one(NANOSECONDS, pa.timestamp("ns")))
    assert load(None, "events.parquet") == {"stored": 2}
    assert Event.objects.get(event_name="a").received_at == INSTANT.replace(microsecond=123_456)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "value",
    [
        one(math.nan, pa.float64()),
        one(math.inf, pa.float32()),
        one(2**63 - 1, pa.timestamp("us")),
        one(dt.time(8), pa.time64("us")),
        one(dt.timedelta(1), pa.duration("s")),
        one(True, pa.bool_()),
        one("yesterday", pa.string()),
    ],
)
def test_timestamp_that_is_no_moment_is_refused_and_never_the_time_of_the_import(load: Loader, value: Any) -> None:
    parquet(load.path / "events.parquet", timestamp=value)
    counts = load(None, "events.parquet")
    assert (counts.pop("stored"), sum(counts.values())) == (1, 1)
    (reject,) = load.rejects()
    assert reject["line"] == 1
    assert "timestamp" in reject["detail"]
    assert not Event.objects.filter(event_name="a").exists()


@pytest.mark.django_db(transaction=True)
def test_refused_row_is_mended_and_imported(load: Loader) -> None:
    parquet(load.path / "events.parquet", timestamp=one(math.nan, pa.float64()), n=one(5, pa.int8()))
    load(None, "events.parquet")
    (reject,) = load.rejects()
    assert reject["record"] == '{"event_name":"a","timestamp":<nan>,"n":5}'
    assert load(lines(reject), "unmended.ndjson", rejects=None) == {"refused: invalid_json": 1}
    reject["record"] = reject["record"].replace("<nan>", "1748275200")
    assert load(lines(reject), "mended.ndjson", rejects=None) == {"stored": 1}
    assert Event.objects.get(event_name="a").extra == {"n": 5}


@pytest.mark.django_db(transaction=True)
def test_columns_of_which_no_events_can_be_made_end_the_file(load: Loader) -> None:
    pyarrow.parquet.write_table(pa.table({"name": ["a"]}), load.path / "events.parquet")
    with pytest.raises(BackfillError, match=r"events\.parquet: there is no event_name"):
        load(None, "events.parquet")
