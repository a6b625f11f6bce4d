"""Files as `import_events` reads them: formats, compression, and what is broken in them."""

import gzip
import json
from collections.abc import Callable

import pytest
import zstandard

from collect.backfills.run import BackfillError
from collect.models import Event
from tests.collect.backfills.importing.loading import SEED, Loader, lines, table

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("events", b"\xef\xbb\xbf" + lines(SEED, {**SEED, "event_id": "b"})),
        ("events", b"\n[" + json.dumps(SEED, indent=2).encode() + b" ,\n" + lines({**SEED, "event_id": "b"}) + b"]\n"),
        (
            "events.csv",
            table(
                ["tag_id", "event_name", "event_id", "timestamp", "click_id", "session_id",
                 *(f"params.{name}" for name in SEED["params"])],
                *(["tag_1", "items_added", id, "1748275200", "clk_xyz", "sess_abc", "sku_123", "2", "58.0", "USD"]
                  for id in ("evt_42", "b")),
            ),
        ),
    ],
    ids=["ndjson", "array", "csv"],
)  # fmt: skip
def test_formats_and_compressions_give_the_same_rows(
    load: Loader, pack: Callable[[bytes], bytes], name: str, content: bytes
) -> None:
    packed = pack(content)
    assert load(packed, name) == {"stored": 2}
    assert load(lines(SEED, {**SEED, "event_id": "b"}), "again.ndjson") == {"duplicate": 2}


def test_frames_and_members_follow_each_other(load: Loader) -> None:
    both = [lines({"event_name": name}) for name in ("first", "second")]
    assert load(b"".join(map(zstandard.compress, both)), "a.zst") == {"stored": 2}
    assert load(b"".join(map(gzip.compress, both)), "b.gz") == {"stored": 2}


def test_cells_of_csv(load: Loader) -> None:
    names = [
        "event_name",
        "event_id",
        "params.n",
        "params.zip",
        "params.flag",
        "params.none",
        "params.list",
        "campaign",
    ]
    load(table(names, ["custom", "007", "58.00", "007", "true", "", "[1, 2]", "12"]), "events.csv")
    event = Event.objects.get()
    assert event.event_id == "007"
    assert event.params == {"n": 58.0, "zip": "007", "flag": True, "list": [1, 2]}
    assert event.extra == {"campaign": "12"}


BAD = [
    b"not json",
    b'{"event_name": "x"',
    b'["x"]',
    b"{}",
    b'{"event_name": "x", "timestamp": "now", "tag_id": 5}',
    b'{"event_name": "x", "received_at": "yesterday", "ip_address": "8.8"}',
    b'{"event_name": "x", "received_at": [1]}',
    b'{"event_name": "\xff"}',
    b'{"event_name": "x", "params": ' + b"[" * 70 + b"]" * 70 + b"}",
    b'{"event_name": "x", "params": {"a": "' + b"a" * 1024 * 1024 + b'"}}',
    b'{"event_name": "x", "params": {"a": 1e999}}',
    b'{"event_name": "x", "params": {"a": NaN}}',
    b'{"event_name": "x", "received_at": "1960-01-01T00:00:00Z"}',
    b'{"event_name": "x", "received_at": "3000-01-01T00:00:00Z"}',
    b'{"event_name": "x", "received_at": 32503680000}',
    b'{"event_name": "x", "received_at": true}',
    b'{"code": "caf\xe9"}',
]


def test_a_broken_line_stops_nothing_and_says_why(load: Loader) -> None:
    good = [lines({"event_name": f"good {number}"}) for number in range(len(BAD) + 1)]
    content = b"".join(one + bad + b"\n" for one, bad in zip(good, BAD, strict=False)) + good[-1]
    counts = load(content)
    assert counts.pop("stored") == len(BAD) + 1
    assert sum(counts.values()) == load.left == len(BAD)
    rejects = load.rejects()
    assert [reject["line"] for reject in rejects] == [2 * (number + 1) for number in range(len(BAD))]
    assert {reject["file"] for reject in rejects} == {"events.ndjson"}
    assert set(rejects[4]["errors"]) == {"timestamp", "tag_id"}
    assert set(rejects[5]["errors"]) == {"received_at", "ip_address"}
    assert set(rejects[6]["errors"]) == {"received_at"}
    assert rejects[0]["record"] == "not json"
    assert rejects[3]["record"] == {}
    assert (rejects[9]["code"], rejects[3]["code"], rejects[0]["code"]) == (
        "too_large",
        "invalid_event",
        "invalid_json",
    )


def test_broken_elements_of_an_array_stop_nothing(load: Loader) -> None:
    big = b'"' + b"a" * (3 * 1024 * 1024) + b'\\\\"'
    content = b'[{"event_name": "a"},\n{"event_name": tru},\n' + big + b',\n{"event_name": "b, ] }\\""}, 5, null]'
    assert load(content, "events.json") == {
        "stored": 2, "refused: invalid_json": 1, "refused: too_large": 1, "refused: invalid_event": 2
    }  # fmt: skip
    assert [reject["line"] for reject in load.rejects()] == [2, 3, 4, 4]


def test_rejects_of_records_over_several_lines_have_one_each(load: Loader) -> None:
    content = json.dumps([{"event_name": "", "params": {"n": 1.50, "text": "a\nb"}}, {"event_name": "x"}], indent=2)
    assert load(content.replace("1.5", "1.50").encode(), "events.json") == {"stored": 1, "refused: invalid_event": 1}
    (reject,) = (load.path / "rejects.ndjson").read_text().splitlines()
    assert '"record":{"event_name":"","params":{"n":1.50,"text":"a\\nb"}}}' in reject


def test_broken_rows_of_csv_stop_nothing(load: Loader) -> None:
    content = b'event_name,params\na,\nb,1,2\n"c\nc","{}"\n\xff,{}\nd,[]\n\ne,"{""x"": 1}"\nf,"{}\nx,\ny,'
    counts = load(content, "events.csv")
    assert counts == {"stored": 5, "refused: bad_request": 3, "refused: invalid_event": 1}
    rejects = load.rejects()
    assert [reject["line"] for reject in rejects] == [3, 6, 7, 10]
    assert [reject["record"] for reject in rejects if reject["code"] == "bad_request"] == [
        "b,1,2\n", "\\xff,{}\n", 'f,"{}\n'
    ]  # fmt: skip
    assert {event.event_name for event in Event.objects.all()} == {"a", "c\nc", "e", "x", "y"}


# RFC 8878, section 3.1.2: what some tools put in front of a frame, or between two.
SKIPPABLE = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"index"


@pytest.mark.parametrize("before", [SKIPPABLE, b""])
@pytest.mark.parametrize("between", [SKIPPABLE, b""])
def test_skippable_frames_of_zstd_are_skipped(load: Loader, before: bytes, between: bytes) -> None:
    frames = [zstandard.compress(lines({"event_name": name})) for name in ("a", "b")]
    assert load(before + between.join(frames), "events") == {"stored": 2}


@pytest.mark.parametrize(
    ("name", "content", "stored", "words"),
    [
        ("a.ndjson.gz", gzip.compress(lines(SEED) * 3, mtime=0)[:-9], 1, "cut off or damaged"),
        ("a.ndjson.zst", zstandard.compress(lines({}, SEED)) + b"\x28\xb5\x2f\xfd\x00", 1, "cut off or damaged"),
        ("a.json", b'[{"event_name": "x"}, {"event_name": "y"}', 2, "cut off: it has no ]"),
        ("a.json", b'[{"event_name": "x"}]\n\n[{"event_name": "y"}]', 1, "more behind the ]"),
        ("a.json", b'[{"event_name": "x"}]' + b" " * 300_000 + b"x", 1, "more behind the ]"),
        ("a.csv", b"event_name,params.a,params\n", 0, "params stands beside columns of its keys"),
        ("a.csv", b"event_name\n" + b"a" * (9 * 1024 * 1024), 0, "a line has more than"),
        ("a.csv", b"event_name,a,a\n1,2,3\n", 0, "a twice"),
        ("a", b"what is this?\n", 0, "no event_name"),
        ("a.parquet", b"PAR1 and nothing more", 0, "a.parquet: "),
    ],
)  # fmt: skip
def test_unreadable_rest_is_told_and_what_came_before_is_kept(
    load: Loader, name: str, content: bytes, stored: int, words: str
) -> None:
    with pytest.raises(BackfillError, match=words):
        load(content, name)
    assert Event.objects.count() == stored
