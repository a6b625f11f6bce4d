"""Files say what they are, by how they begin: they are read, or told what was seen."""

import bz2
import codecs
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from collect.backfills.run import BackfillError
from collect.models import Event
from tests.collect.backfills.importing.loading import SEED, Loader, lines

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = {**SEED, "event_id": "b", "page_url": "https://shop.example/ü"}


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def names() -> set[str]:
    return set(Event.objects.values_list("event_name", flat=True))


@pytest.mark.parametrize(
    "pack",
    [bz2.compress, lzma.compress, lambda plain: zipped(**{"events.ndjson": plain}),
     lambda plain: zipped(**{"folder/events.ndjson": plain, "__MACOSX/._events.ndjson": b"?", "a/.DS_Store": b"?"})],
    ids=["bzip2", "xz", "zip", "zip of macOS"],
)  # fmt: skip
def test_other_compressions_are_read(load: Loader, pack: Callable[[bytes], bytes]) -> None:
    assert load(pack(lines(SEED, OTHER)), "events") == {"stored": 2}


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress], ids=["bzip2", "xz"])
def test_cut_file_is_imported_up_to_the_cut(load: Loader, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BackfillError, match="cut off or damaged"):
        load(pack(lines(SEED)) + pack(lines(OTHER) * 1000)[:-20], "events")
    assert Event.objects.filter(event_id="evt_42").exists()


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF32_LE, "utf-32-le"),
     (codecs.BOM_UTF32_BE, "utf-32-be"), (b"", "utf-16-le"), (b"", "utf-16-be"), (codecs.BOM_UTF8, "utf-8")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["events.ndjson", "events.csv", "events"])
def test_encodings_of_unicode_are_read(load: Loader, mark: bytes, encoding: str, name: str) -> None:
    text = "event_name,page_url\nü🎉,x\n" if "csv" in name else '{"event_name": "ü🎉"}\n' * 2
    number = text.count("ü")
    assert load(mark + text.encode(encoding), name) == {"stored": number}
    assert names() == {"ü🎉"}


def test_text_of_utf16_that_is_broken_costs_its_record(load: Loader) -> None:
    good = [f'{{"event_name": "{name}"}}\n'.encode("utf-16-le") for name in "abc"]
    half = '{"event_name": "'.encode("utf-16-le") + b"\x3c\xd8" + '"}\n'.encode("utf-16-le")
    assert load(codecs.BOM_UTF16_LE + good[0] + half + good[1]) == {"stored": 2, "refused: invalid_json": 1}
    with pytest.raises(BackfillError, match="cut off or damaged"):
        load(codecs.BOM_UTF16_LE + good[0] + good[2] + b"{", "cut.ndjson")


@pytest.mark.parametrize("before", ["", "sep={}\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_that_of_the_header(load: Loader, delimiter: str, before: str) -> None:
    rows = [["event_name", "page_url", "params.a"], ["x", '"a,b;c|d\te"', "1"], ["y", "", "2"], ["z", "too few"]]
    content = before.format(delimiter) + "".join(delimiter.join(row) + "\r\n" for row in rows)
    assert load(content.encode(), "events.csv") == {"stored": 2, "refused: bad_request": 1}
    event = Event.objects.get(event_name="x")
    assert (event.page_url, event.params) == ("a,b;c|d\te", {"a": 1})
    (reject,) = load.rejects()
    assert reject["line"] == (5 if before else 4)
    reject["record"] = delimiter.join(["z", "", "3"])
    assert load(lines(reject), "mended.ndjson", rejects=None) == {"stored": 1}


def test_columns_without_a_name(load: Loader) -> None:
    content = ",event_name,x,,\n0,a,1,,\n1,b,2,3,\n"
    assert load(content.encode(), "events.csv") == {"stored": 1, "refused: bad_request": 1}
    assert Event.objects.get().extra == {"x": "1"}
    assert "a cell in column 4, which has no name" in load.rejects()[0]["detail"]


@pytest.mark.parametrize(
    ("name", "content", "stored"),
    [
        ("a.json", json.dumps(SEED, indent=2), 1),
        ("a", json.dumps(SEED, indent="\t") + "\n" + json.dumps(OTHER, indent="\t"), 2),
        ("a.jsonl", json.dumps([SEED, OTHER]), 2),
        ("a.ndjson", json.dumps(SEED, indent=2), 1),
        ("a", json.dumps({"events": [SEED, OTHER]}), 2),
        ("a.json", json.dumps({"sent": 5, "by": "me", "events": [SEED, OTHER], "more": {"x": []}}, indent=2), 2),
        ("a", json.dumps({"events": []}), 0),
        ("a.csv", json.dumps(SEED), 1),
        ("a.ndjson", "", 0),
        ("a", "\n", 0),
    ],
)
def test_json_in_every_envelope_is_read(load: Loader, name: str, content: str, stored: int) -> None:
    assert load(content.encode(), name).get("stored", 0) == stored
    assert load.left == 0


def tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("events.ndjson"), io.BytesIO())
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "workbook of Excel.*save its sheet as CSV"),
        (zipped(**{"mimetype": b"", "content.xml": b""}), "LibreOffice"),
        (zipped(**{"a.csv": b"", "b.csv": b""}), r"a zip of 2 files \(a\.csv, b\.csv\): unpack it first"),
        (zipped(**{"a.csv": b""})[:-30], "cut off or damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500, "an Excel workbook: save it as CSV"),
        (b"ARROW1\x00\x00", "an Arrow or Feather file: save it as Parquet"),
        (b"Obj\x01\x04", "an Avro file"),
        (tar(), "a tar archive: unpack it first"),
        (b"SQLite format 3\x00" + b"\x00" * 84, "an SQLite database"),
        (b"<!DOCTYPE html><html>", "XML or HTML"),
        (b"name;time\nx;1\n", "no event_name among the columns name, time"),
        (b"{'event_name': 'x'}", None),
    ],
)
def test_file_that_is_not_read_is_told_what_it_is(load: Loader, content: bytes, words: str | None) -> None:
    if words is None:
        assert load(content, "events") == {"refused: invalid_json": 1}
        return
    with pytest.raises(BackfillError, match=rf"events: .*{words}"):
        load(content, "events")


def test_format_that_is_named_is_believed(load: Loader) -> None:
    assert load(lines(SEED), "events.csv", format="ndjson") == {"stored": 1}
    with pytest.raises(BackfillError, match=r"events\.csv: not JSON: it begins with neither \[ nor \{"):
        load(b"event_name\nx\n", "events.csv", format="json")
