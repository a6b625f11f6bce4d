"""`import_events`: every format, every kind of bad input, cut off and run again, equal to what the endpoint does."""

import csv
import gzip
import io
import json
import signal
from datetime import UTC, datetime

import pytest
import zstandard
from django.db import OperationalError, connection

from collect.backfills import importing, writing
from collect.backfills.formats.reading import Record
from collect.backfills.importing import ImportOptions, import_events
from collect.backfills.run import BackfillError
from collect.models import Checkpoint, Event, Rejection
from collect.storage import ingest, store
from keys.models import ApiKey, Partner
from tests.collect.backfills.conftest import send_beside
from tests.harness import databases, factories

pytestmark = pytest.mark.django_db(transaction=True)

SEED = factories.SEED_EVENT


@pytest.fixture
def load(tmp_path, new_run):
    """Imports these bytes as a file and gives what was counted; the rejects are in `load.rejects`."""

    def load(content, name="events.ndjson", **options):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        run = new_run("import_events", dry_run=options.pop("dry_run", False))
        load.left = import_events(
            ImportOptions([str(path)], **{"partner": "acme", "rejects": str(tmp_path / "rejects.ndjson"), **options}),
            run,
        )
        return {reason: number for reason, number in run.counts.items() if number}

    load.path = tmp_path
    load.rejects = lambda: [json.loads(line) for line in (tmp_path / "rejects.ndjson").read_text().splitlines()]
    return load


def lines(*events):
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def table(*rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def test_event_becomes_the_row_that_the_endpoint_would_store(load):
    history = {
        **SEED,
        "user_agent": "curl/8.4.0",
        "received_at": "2025-05-26T18:00:01.5+02:00",
        "ip_address": "::ffff:8.8.8.8",
        "channel": "web",
        "campaign": 7,
    }
    assert load(lines(history)) == {"stored": 1}
    event = Event.objects.get()
    assert event.received_at == datetime(2025, 5, 26, 16, 0, 1, 500_000, UTC)
    assert event.timestamp == datetime(2025, 5, 26, 16, tzinfo=UTC)
    assert (event.ip_address, event.channel, event.is_test, event.api_key_id) == ("8.8.8.8", "server", False, None)
    assert (event.partner.name, event.tag_id, event.tag_derived) == ("acme", "tag_1", None)
    assert (event.ua_browser, event.ua_is_bot) == ("curl", True)
    assert (event.params, event.extra) == (SEED["params"], {"campaign": 7})


def test_channel_and_derived_tag(load):
    load(lines({"event_name": "custom", "page_url": "https://Shop.Example/x"}), channel="web")
    event = Event.objects.get()
    assert (event.channel, event.tag_id, event.tag_derived) == ("web", "site:shop.example", True)


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
def test_formats_and_compressions_give_the_same_rows(load, pack, name, content):
    packed = pack(content)
    assert load(packed, name) == {"stored": 2}
    assert load(lines(SEED, {**SEED, "event_id": "b"}), "again.ndjson") == {"duplicate": 2}


def test_frames_and_members_follow_each_other(load):
    both = [lines({"event_name": name}) for name in ("first", "second")]
    assert load(b"".join(map(zstandard.compress, both)), "a.zst") == {"stored": 2}
    assert load(b"".join(map(gzip.compress, both)), "b.gz") == {"stored": 2}


def test_cells_of_csv(load):
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


def test_a_broken_line_stops_nothing_and_says_why(load):
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


def test_broken_elements_of_an_array_stop_nothing(load):
    big = b'"' + b"a" * (3 * 1024 * 1024) + b'\\\\"'
    content = b'[{"event_name": "a"},\n{"event_name": tru},\n' + big + b',\n{"event_name": "b, ] }\\""}, 5, null]'
    assert load(content, "events.json") == {
        "stored": 2, "refused: invalid_json": 1, "refused: too_large": 1, "refused: invalid_event": 2
    }  # fmt: skip
    assert [reject["line"] for reject in load.rejects()] == [2, 3, 4, 4]


def test_rejects_of_records_over_several_lines_have_one_each(load):
    content = json.dumps([{"event_name": "", "params": {"n": 1.50, "text": "a\nb"}}, {"event_name": "x"}], indent=2)
    assert load(content.replace("1.5", "1.50").encode(), "events.json") == {"stored": 1, "refused: invalid_event": 1}
    (reject,) = (load.path / "rejects.ndjson").read_text().splitlines()
    assert '"record":{"event_name":"","params":{"n":1.50,"text":"a\\nb"}}}' in reject


def test_broken_rows_of_csv_stop_nothing(load):
    content = b'event_name,params\na,\nb,1,2\n"c\nc","{}"\n\xff,{}\nd,[]\n\ne,"{""x"": 1}"\nf,"{}\nx,\ny,'
    counts = load(content, "events.csv")
    assert counts == {"stored": 3, "refused: bad_request": 3, "refused: invalid_event": 1}
    rejects = load.rejects()
    assert [reject["line"] for reject in rejects] == [3, 6, 7, 10]
    assert [reject["record"] for reject in rejects if reject["code"] == "bad_request"] == [
        "b,1,2\n", "\\xff,{}\n", 'f,"{}\nx,\ny,'
    ]  # fmt: skip
    assert {event.event_name for event in Event.objects.all()} == {"a", "c\nc", "e"}


@pytest.mark.parametrize(
    ("name", "content", "stored", "words"),
    [
        ("a.ndjson.gz", gzip.compress(lines(SEED) * 3, mtime=0)[:-9], 0, "cut off or damaged"),
        ("a.ndjson.zst", zstandard.compress(lines({}, SEED)) + b"\x28\xb5\x2f\xfd\x00", 1, "cut off or damaged"),
        ("a.json", b'[{"event_name": "x"}, {"event_name": "y"}', 2, "cut off: it has no ]"),
        ("a.json", b'[{"event_name": "x"}], {"event_name": "y"}]', 1, "more behind the ] in line 1"),
        ("a.json", b'[{"event_name": "x"}]\n\n[{"event_name": "y"}]', 1, "more behind the ]"),
        ("a.json", b'[{"event_name": "x"}]' + b" " * 300_000 + b"x", 1, "more behind the ]"),
        ("a.csv", b"event_name,params.a,params\n", 0, "params stands beside columns of its keys"),
        ("a.csv", b"event_name\n" + b"a" * (9 * 1024 * 1024), 0, "a line has more than"),
        ("a.csv", b"event_name,a,a\n1,2,3\n", 0, "a twice"),
        ("a", b"what is this?\n", 0, "no event_name"),
        ("a.parquet", b"PAR1 and nothing more", 0, "a.parquet: "),
    ],
)  # fmt: skip
def test_unreadable_rest_is_told_and_what_came_before_is_kept(load, name, content, stored, words):
    with pytest.raises(BackfillError, match=words):
        load(content, name)
    assert Event.objects.count() == stored


def test_missing_file_and_rejects_that_are_imported(load, tmp_path):
    with pytest.raises(BackfillError, match="No such file"):
        load(None, "missing.ndjson")
    with pytest.raises(BackfillError, match="is imported"):
        load(lines(SEED), "rejects.ndjson")


def test_twice_adds_nothing_also_without_event_id(load):
    content = lines(SEED, {"event_name": "custom"}, {"event_name": "custom"})
    assert load(content) == {"stored": 3}
    ids = set(Event.objects.values_list("pk", flat=True))
    assert load(None) == {"stored before": 3}
    assert set(Event.objects.values_list("pk", flat=True)) == ids
    assert not Checkpoint.objects.exists()


def test_what_was_repeated_once_is_expected_no_longer_than_it_is(load, monkeypatch):
    """Steps of two: the cheaper way of writing is left at the first repetition and taken again after it."""
    monkeypatch.setattr(importing, "STEP", 2)
    monkeypatch.setattr(writing.zlib, "crc32", lambda _key: 0)
    tried = []
    write_new = store.write_new
    monkeypatch.setattr(store, "write_new", lambda arrivals: tried.append(len(arrivals)) or write_new(arrivals))
    ids = ["a", "b", "c", "a", "d", "a", "e", "f", "g", "h"]
    counts = load(lines(*({"event_name": "x", "event_id": id, "tag_id": "t"} for id in ids)))
    assert counts == {"stored": 8, "duplicate": 2}
    assert len(tried) == 3


def test_what_is_said_to_be_stored_is_on_disk(load, monkeypatch):
    if databases.is_sqlite():
        load(lines(SEED))
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)
        return
    written = []
    write_new = store.write_new

    def noted(arrivals):
        results = write_new(arrivals)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()::text, current_setting('synchronous_commit')")
            written.append(cursor.fetchone())
        return results

    monkeypatch.setattr(store, "write_new", noted)
    load(lines(SEED, {**SEED, "event_id": "b"}, {**SEED, "event_id": "c"}))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_flush_lsn() >= max(lsn::pg_lsn) FROM unnest(%s::text[]) AS lsn",
                       [[lsn for lsn, _ in written]])  # fmt: skip
        assert cursor.fetchone() == (True,)
    assert {setting for _, setting in written} == {"off"}


def test_conflict_goes_to_the_rejects_and_not_to_the_ledger(load):
    assert load(lines(SEED, {**SEED, "params": {"value": 1}}, SEED)) == {"stored": 1, "conflict": 1, "duplicate": 1}
    (reject,) = load.rejects()
    assert (reject["code"], reject["errors"], reject["line"]) == ("conflict", {"params": ["differs"]}, 2)
    assert Event.objects.get().params == SEED["params"]
    assert not Rejection.objects.exists()


def test_rejects_are_mended_and_imported(load, tmp_path):
    load(lines({"event_name": ""}, SEED, {"event_name": 5}) + b'{"event_name": \n')
    mended = load.rejects()
    mended[0]["record"]["event_name"] = mended[1]["record"]["event_name"] = "custom"
    mended[2]["record"] = '{"event_name": "custom"}'
    assert load(lines(*mended), "mended.ndjson", rejects=None) == {"stored": 3}
    assert load(lines(*mended), "mended again.ndjson", rejects=None) == {"stored before": 3}


def test_dry_run_writes_nothing_and_says_what_would_be(load, tmp_path, told):
    partner = factories.partner("known")
    load(lines(SEED), partner="known")
    other = {**SEED, "event_id": "b"}
    more = lines(SEED, other, {}, other, {**other, "params": {}}, {"event_name": "x"}, {"event_name": "x"})
    expected = {"duplicate": 2, "stored": 3, "conflict": 1, "refused: invalid_event": 1}
    assert load(more, "more.ndjson", partner="known", dry_run=True) == expected
    assert "more.ndjson:5: conflict: Differs from an event before it" in str(told)
    assert load(lines(SEED), "more.ndjson", partner="new", dry_run=True) == {"stored": 1}
    assert "Would make the partner new" in str(told)
    assert list(Partner.objects.all()) == [partner]
    assert Event.objects.count() == 1
    assert (tmp_path / "rejects.ndjson").read_bytes() == b""
    assert not Checkpoint.objects.exists()
    assert load(more, "more.ndjson", partner="known") == expected


def exported(**fields):
    return {
        "id": "01a20e6c-438d-7121-b8b0-8d8bb91d1ea3",
        "received_at": "2026-11-24T16:38:25.933587+00:00",
        "timestamp": "2025-05-26T16:00:00+00:00",
        "partner": "acme",
        "api_key": "thrad_live_abcdefghijkl",
        "channel": "web",
        "is_test": False,
        "event_name": "items_added",
        "tag_id": "tag_1",
        "params": {},
        "extra": {},
        **fields,
    }


def test_exported_event_comes_back_as_it_was(load):
    assert load(lines(exported(geo_city="Berlin", ua_browser="Chrome")), partner=None) == {"stored": 1}
    event = Event.objects.get()
    assert (str(event.pk), event.channel, event.geo_city, event.ua_browser) == (
        "01a20e6c-438d-7121-b8b0-8d8bb91d1ea3", "web", "Berlin", "Chrome"
    )  # fmt: skip
    assert (event.api_key.prefix, event.api_key.state, event.api_key.digest) == (
        "thrad_live_abcdefghijkl",
        "revoked",
        "",
    )


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"partner": "other"}, "partner"),
        ({"api_key": "thrad_live_othersothers"}, "api_key"),
        ({"api_key": "thrad_test_abcdefghijkl"}, "api_key"),
        ({"id": "1"}, "id"),
        ({"received_at": "2026-11-24T16:38:25"}, "received_at"),
        ({"event_name": "x" * 256}, "event_name"),
        ({"session_id": "x" * 256}, "session_id"),
        ({"params": []}, "params"),
        ({"ip_address": "8.8"}, "ip_address"),
        ({"id": "01a20e6c-438d-7121-b8b0-8d8bb91d1ea3\n"}, "id"),
        ({"api_key": "thrad_live_abcdefghijkl\n"}, "api_key"),
        ({"received_at": "1969-12-31T23:59:59+00:00"}, "received_at"),
        ({"received_at": "3000-01-01T00:00:00+00:00"}, "received_at"),
        ({"timestamp": "9999-12-31T23:59:59-23:59"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+23:59"}, "timestamp"),
        ({"is_test": "no"}, "is_test"),
    ],
)
def test_exported_event_that_no_export_wrote_is_refused_by_field(load, fields, named):
    factories.key(factories.partner("other"))
    ApiKey.objects.update(prefix="thrad_live_othersothers")
    assert load(lines(exported(**fields))) == {"refused: invalid_event": 1}
    assert list(load.rejects()[0]["errors"]) == [named]
    assert not Event.objects.exists()


def test_line_that_stands_twice_is_stored_once_and_said_so(load):
    twice = exported(event_id="a"), exported(event_id="a")
    assert load(lines(*twice)) == {"stored": 1, "stored before": 1}
    other = "01a20e6c-438d-7121-b8b0-8d8bb91d1ea4"
    assert load(lines(exported(id=other), exported(id=other, params={"x": 1})), "b.ndjson") == {
        "stored": 1, "conflict": 1
    }  # fmt: skip
    assert Event.objects.count() == 2


def test_exported_event_may_be_longer_than_it_was_sent(load):
    wide = exported(params={"numbers": ["x" * 1000] * 2000})
    assert load(lines(wide)) == {"stored": 1}
    assert load(lines({**SEED, "params": wide["params"]}), "sent.ndjson") == {"refused: too_large": 1}


def test_dry_run_foresees_a_key_of_another_partner(load):
    factories.key(factories.partner("other"))
    ApiKey.objects.update(prefix="thrad_live_othersothers")
    assert load(lines(exported(api_key="thrad_live_othersothers")), dry_run=True) == {"refused: invalid_event": 1}


def test_step_that_failed_is_written_by_the_next_run(load, monkeypatch, tmp_path):
    """Those behind it are written all the same, by threads, but nobody may count them as if it had been."""
    monkeypatch.setattr(importing, "STEP", 10)
    content = lines(*({"event_name": "x", "event_id": str(number), "params": "bad"} if number % 10 == 5 else
                      {"event_name": "x", "event_id": str(number)} for number in range(100)))  # fmt: skip
    write, calls = ingest.write, []
    monkeypatch.setattr(store, "write_new", lambda _arrivals: None)

    def fail_once(arrivals):
        calls.append(arrivals)
        if len(calls) == 4:
            raise OperationalError("deadlock detected")
        return write(arrivals)

    monkeypatch.setattr(ingest, "write", fail_once)
    with pytest.raises(OperationalError):
        load(content)
    assert 0 < Event.objects.count() < 90
    assert load(None)["refused: invalid_event"] == 10
    assert Event.objects.count() == 90
    assert [reject["line"] for reject in load.rejects()] == list(range(6, 100, 10))


def test_steps_are_bounded_by_bytes(load, monkeypatch):
    monkeypatch.setattr(importing, "STEP_BYTES", 1000)
    records = [Record(number, b"x" * 400) for number in range(7)]
    assert [len(step) for step in importing._steps(iter(records))] == [3, 3, 1]


def test_exported_id_that_is_taken_is_a_conflict(load):
    load(lines(exported(event_id="a")))
    counts = load(lines(exported(event_id="b"), exported(event_id="a", params={"x": 1})), "edited.ndjson")
    assert counts == {"conflict": 2}


MANY = 30_000


def many(tmp_path):
    path = tmp_path / "many.ndjson"
    with path.open("wb") as file:
        for number in range(MANY):
            event = {"event_name": "custom", "params": {"number": number}}
            file.write(lines(event if number % 2 else {**event, "event_id": str(number)}))
            if not number % 3000:
                file.write(b"{broken\n")
    return path


def test_killed_and_run_again_ends_as_if_it_had_run_once(command, tmp_path):
    path, rejects = many(tmp_path), tmp_path / "rejects.ndjson"
    arguments = ("import_events", str(path), "--partner", "acme", "--rejects", str(rejects))
    for least in (MANY // 10, MANY // 3):
        status = command.kill_when(lambda least=least: Event.objects.count() > least, *arguments)
        assert status == -signal.SIGKILL
    assert MANY // 3 < Event.objects.count() < MANY
    done = command(*arguments)
    assert done.returncode == 3, done.stderr
    numbers = sorted(Event.objects.values_list("params__number", flat=True))
    assert numbers == list(range(MANY))
    assert [json.loads(line)["line"] for line in rejects.read_text().splitlines()] == [
        3001 * step + 2 for step in range(MANY // 3000)
    ]
    assert not Checkpoint.objects.exists()
    again = command(*arguments)
    assert again.returncode == 3
    assert f"{MANY:,} stored before" in again.stderr


def test_stopped_by_a_signal_it_goes_on_later(command, tmp_path):
    path = many(tmp_path)
    arguments = ("import_events", str(path), "--partner", "acme")
    status = command.kill_when(lambda: Event.objects.count() > MANY // 10, *arguments, by=signal.SIGTERM)
    assert status == 143
    assert Checkpoint.objects.get().command == "import_events"
    done = command(*arguments)
    assert "Going on where the run of" in done.stderr
    assert f"{MANY:,} stored" in done.stderr
    assert Event.objects.count() == MANY


def test_beside_live_traffic_both_are_whole(command, server, tmp_path):
    _, raw_key = factories.key(factories.partner("acme"))
    process = command.start("import_events", str(many(tmp_path)), "--partner", "acme")
    sent = send_beside(process, server, raw_key, status=3).total()
    assert Event.objects.filter(event_id__startswith="live ").count() == sent > 0
    assert Event.objects.count() == MANY + sent


def test_standard_input_and_the_exit_status(command, tmp_path):
    done = command("import_events", "-", "--partner", "acme", stdin=lines(SEED).decode())
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 stored" in done.stderr
    rejects = tmp_path / "rejects"
    for _ in range(2):
        again = command("import_events", "-", "--partner", "acme", "--rejects", str(rejects), stdin="{x\n")
        assert again.returncode == 3, again.stderr
    assert rejects.stat().st_mode & 0o077 == 0
    nowhere = command("import_events", "-", "--partner", "acme", "--rejects", "/dev/null", stdin="{x\n")
    assert nowhere.returncode == 3, nowhere.stderr
    assert command("import_events", str(tmp_path / "none"), "--partner", "acme").returncode == 1
    assert command("import_events").returncode == 2
