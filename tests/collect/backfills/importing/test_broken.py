"""A broken record costs no other: reading goes on at the line behind the one where it began."""

import io
import json
from collections.abc import Iterator

import pytest

from collect.backfills.formats import json_file
from collect.backfills.formats.records import MAX_RECORD_BYTES, Record
from collect.models import Event
from tests.collect.backfills.importing.loading import Loader, lines, table

database = pytest.mark.django_db(transaction=True)

EVENTS = [
    {"event_name": f"e{number}", "params": {"items": [{"sku": "x"}, {"sku": "[y"}], "q": 'a "b", {'}, "n": number}
    for number in range(4)
]
PRETTY = [json.dumps(event, indent=2) for event in EVENTS]
LAYOUTS = {
    "an element a line": ("[\n", [json.dumps(event) for event in EVENTS], ",\n", "\n]\n"),
    "as PostgreSQL aggregates": ("[", [json.dumps(event) for event in EVENTS], ", \n ", "]"),
    "indented": ("[\n  ", [text.replace("\n", "\n  ") for text in PRETTY], ",\n  ", "\n]\n"),
    "with brackets together": ("[", PRETTY, ", ", "]"),
    "objects without an array": ("", PRETTY, "\n", "\n"),
    "body of a batch": ('{\n  "sent": 1, "events": [\n', [json.dumps(event) for event in EVENTS], ",\n", "\n]}\n"),
}


def read(content: bytes) -> list[Record]:
    return list(json_file.elements(io.BufferedReader(io.BytesIO(content))))


def names(records: list[Record]) -> list[str]:
    """The names of the events among the records, by their bodies."""
    found = []
    for record in records:
        try:
            found.append(json.loads(record.body)["event_name"])
        except (ValueError, TypeError, KeyError):
            continue
    return found


def slips(text: str) -> Iterator[str]:
    """The text with each character left out, and with each character that JSON is made of put in everywhere."""
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :]
        for extra in '"{}[],:\\\n':
            yield text[:at] + extra + text[at:]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("chunk", [json_file._CHUNK, 40])
def test_one_slip_of_the_pen_costs_one_element(layout: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "_CHUNK", chunk)
    before, elements, between, after = LAYOUTS[layout]
    good = (before + between.join(elements) + after).encode()
    assert names(read(good)) == ["e0", "e1", "e2", "e3"]
    assert [record.line for record in read(good)][:1] == [1 + before.count("\n")]
    for broken in slips(elements[1]):
        if layout == "with brackets together" and broken.endswith('"}'):
            continue  # the line that is broken has the next element's beginning in it
        content = before + between.join([elements[0], broken, *elements[2:]]) + after
        found = names(read(content.encode()))
        assert [name for name in found if name in ("e0", "e2", "e3")] == ["e0", "e2", "e3"], content


def test_what_is_cut_out_of_an_element_is_as_it_was() -> None:
    deep = '{"event_name": "a",\n"params": {"items": [\n{"sku": 1},\n{"sku": 2}]}}'
    (one, two) = read(f"[{deep},\n{deep}]".encode())
    assert (one.body, one.line, one.lines) == (deep.encode(), 1, 4)
    assert (two.body, two.line, two.lines) == (deep.encode(), 5, 4)


def test_list_without_its_end_is_found_out_at_the_end_of_the_file_or_of_a_record() -> None:
    cut = '{"event_name": "cut", "params": {"items": [\n'
    good = ",\n".join(f'{{"event_name": "{number}"}}' for number in range(3))
    assert names(read(f"[{cut}{good}]".encode())) == ["0", "1", "2"]
    many = ",\n".join([json.dumps({"event_name": "many", "x": "x" * 1000})] * (MAX_RECORD_BYTES // 1000))
    records = read(f"[{cut}{many}]".encode())
    assert (records[0].body, names(records)) == (cut.strip().encode(), ["many"] * (MAX_RECORD_BYTES // 1000))


def test_element_that_is_too_large_is_one_and_shows_how_it_begins() -> None:
    large = '{"event_name": "large", "params": {"x": [\n' + '"a\\\\",\n' * (MAX_RECORD_BYTES // 4) + "1]}}"
    first, second = read(f'[{large},\n{{"event_name": "b"}}]'.encode())
    assert (first.line, first.lines) == (1, MAX_RECORD_BYTES // 4 + 2)
    assert first.fault is not None
    assert first.body.startswith(b'{"event_name": "large"')
    assert (second.line, second.body) == (MAX_RECORD_BYTES // 4 + 3, b'{"event_name": "b"}')


# --- CSV -------------------------------------------------------------------------------------------

ROWS = [[f"e{number}", f'{{"n": {number},\n "text": "b"}}', "x" * 20] for number in range(30)]


@database
def test_quote_that_is_not_closed_costs_its_row(load: Loader) -> None:
    good = table(["event_name", "params", "page_url"], *ROWS)
    slip = b'broken,"{"",x\r\n'
    assert load(good + slip + good.split(b"\r\n", 1)[1], "events.csv") == {
        "stored": 60, "refused: bad_request": 1
    }  # fmt: skip
    (reject,) = load.rejects()
    assert (reject["line"], reject["record"], reject.get("lines")) == (62, slip.decode(), None)


@database
@pytest.mark.parametrize("quotes", ['"', '"""', '""" and ""'])
def test_quote_without_end_before_rows_without_quotes_costs_its_row(load: Loader, quotes: str) -> None:
    rows = "".join(f"e{number},x\n" for number in range(1000))
    assert load(f"event_name,page_url\n{rows}broken,{quotes}x\n{rows}".encode(), "events.csv") == {
        "stored": 2000, "refused: bad_request": 1
    }  # fmt: skip
    (reject,) = load.rejects()
    assert (reject["line"], reject["record"]) == (1002, f"broken,{quotes}x\n")
    assert "a quote is not closed" in reject["detail"]


@database
def test_reject_holds_the_lines_of_a_row_that_has_several_and_says_how_many(load: Loader) -> None:
    content = 'event_name,page_url\na,"1\n2\n3",too many\nb,x\n'
    assert load(content.encode(), "events.csv") == {"stored": 1, "refused: bad_request": 1}
    (reject,) = load.rejects()
    assert (reject["line"], reject["lines"]) == (2, 3)
    assert reject["record"] == 'a,"1\n2\n3",too many\n'


@database
def test_rejects_of_csv_are_mended_as_rows_and_imported(load: Loader) -> None:
    content = 'event_name,page_url,params.n\na,"x,1\nb,x,1,2\nc,"1\n2",3\n'
    assert load(content.encode(), "events.csv") == {"stored": 1, "refused: bad_request": 2}
    rejects = load.rejects()
    assert load(lines(*rejects), "rejects again.ndjson", rejects=str(load.path / "again")) == {
        "refused: bad_request": 2
    }
    again = [json.loads(line) for line in (load.path / "again").read_text().splitlines()]
    assert [(one["line"], one["record"], one["header"]) for one in again] == [
        (2, 'a,"x,1\n', "event_name,page_url,params.n"), (3, "b,x,1,2\n", "event_name,page_url,params.n")
    ]  # fmt: skip
    rejects[0]["record"] = 'a,"x\ny",1\n'
    rejects[1]["record"] = '{"event_name": "b"}'
    assert load(lines(*rejects), "mended.ndjson", rejects=None) == {"stored": 2}
    found = dict(Event.objects.values_list("event_name", "page_url"))
    assert found == {"a": "x\ny", "b": None, "c": "1\n2"}


@database
def test_reject_of_a_large_record_can_be_imported_again(load: Loader) -> None:
    """What an export wrote may have 8 MiB, and a reject has the reasons beside it."""
    wide = {"partner": "acme", "timestamp": "x", "params": {"text": '"' * (MAX_RECORD_BYTES // 2 - 1000)}}
    assert load(lines(wide)) == {"refused: invalid_event": 1}
    content = (load.path / "rejects.ndjson").read_bytes()
    assert len(content) > MAX_RECORD_BYTES - 2000
    assert load(content, "again.ndjson", rejects=str(load.path / "again")) == {"refused: invalid_event": 1}
