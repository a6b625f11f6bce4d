"""`export_rejections`: what it writes is mended in an editor, and read by `replay_rejections --file`."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError

from collect.backfills.mending import RejectionExport, export_rejections, read_bodies
from collect.backfills.replaying import ReplayOptions, replay_rejections
from collect.backfills.run import BackfillError
from collect.mending.conversions import as_type
from collect.models import Event, Rejection
from keys.models import ApiKey
from tests.collect.backfills.old import OLD, kept, refuse
from tests.collect.backfills.runs import NewRun
from tests.collect.backfills.test_commands import call

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "spool"]),
    pytest.mark.usefixtures("own_spool"),
]

BODIES = [
    b'{"event": "a",\n "params": {"v": 58.00, "big": 12345678901234567890}}',
    b"[]",
    b'{"event_name": "cut"',
    b'"{\\"event_name\\": \\"encoded twice\\"}"',
    b'{"event_name": "caf\xe9"}',
    b"",
    b'{"event_name": "x", "tag_id": 5}\r\n',
]


def exported(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_file_gives_the_bodies_as_they_were(api_key: ApiKey, new_run: NewRun, tmp_path: Path) -> None:
    made = [refuse(api_key, body) for body in BODIES]
    path = tmp_path / "rejected.ndjson"
    run = new_run()
    assert export_rejections(RejectionExport(str(path)), run) == 0
    assert kept(run) == {"exported": len(BODIES)}
    assert (path.stat().st_mode & 0o077, list(tmp_path.iterdir())) == (0, [path])
    lines = exported(path)
    assert [line["rejection"] for line in lines] == [rejection.pk for rejection in made]
    assert {(line["code"], line["detail"]) for line in lines} == {("invalid_event", "event_name: required")}
    assert '"event":{"event":"a","params":{"v":58.00,"big":12345678901234567890}}}' in path.read_text()
    bodies = read_bodies(str(path))
    assert bodies[made[2].pk] == BODIES[2]
    assert bodies[made[3].pk] == BODIES[3]
    # What cannot be read is refused as it is: it cannot be mistaken for something else.
    unmended = new_run()
    assert replay_rejections(ReplayOptions(bodies=bodies), unmended) == len(BODIES)
    assert not Event.objects.exists()


def test_mended_in_the_file_it_is_replayed(api_key: ApiKey, tmp_path: Path) -> None:
    for body in BODIES:
        refuse(api_key, body)
    path = tmp_path / "rejected.ndjson.gz"
    assert call("export_rejections", "--out", path)[2] == 0
    mended = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    for number, line in enumerate(mended):
        line["event"] = {"event_name": f"e{number}"} if number % 2 else json.dumps({"event_name": f"e{number}"})
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, mended)).encode()))
    assert call("replay_rejections", "--file", path)[2] == 0
    assert set(Event.objects.values_list("event_name", flat=True)) == {f"e{number}" for number in range(len(BODIES))}
    # What was replayed is not exported again.
    assert "0 rejections" in call("export_rejections", "--out", tmp_path / "again")[1]


def test_selection_and_what_was_kept_in_part(api_key: ApiKey, new_run: NewRun, tmp_path: Path) -> None:
    first, second, third = refuse(api_key, b"{}"), refuse(api_key, b"{}", age=OLD), refuse(api_key, b" " * 70_000)
    Rejection.objects.filter(pk=first.pk).update(code="conflict")

    def ids(*options: object) -> list[object]:
        out, said, status = call("export_rejections", "--out", tmp_path / "out", *options)
        assert (out, status) == ("", 3 if "kept in part" in said else 0)
        return [line["rejection"] for line in exported(tmp_path / "out")]

    assert ids() == [first.pk, second.pk]
    assert ids("--code", "conflict") == [first.pk]
    assert ids("--id", second.pk) == [second.pk]
    assert ids("--since", "2026-01-01", "--partner", "acme") == [first.pk]
    assert ids("--id", third.pk) == []
    with pytest.raises(CommandError, match="No such rejection is selected: 0"):
        call("export_rejections", "--out", tmp_path / "out", "--id", 0)
    with pytest.raises(CommandError, match="no partner 'nobody'"):
        call("export_rejections", "--out", tmp_path / "out", "--partner", "nobody")
    with pytest.raises(BackfillError, match="No such file"):
        export_rejections(RejectionExport(str(tmp_path / "no" / "out")), new_run())
    dry = new_run(dry_run=True)
    assert export_rejections(RejectionExport(str(tmp_path / "dry")), dry) == 1
    assert not (tmp_path / "dry").exists()


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ('"1748275200.5"', 1_748_275_200.5),
        ('"2025-05-26T16:00:00Z"', 1_748_275_200),
        ('"2025-05-26 18:00:00.250+02"', 1_748_275_200.25),
        ("1748275200", 1_748_275_200),
        ('" 1748275200000 "', 1_748_275_200),
    ],
)
def test_text_timestamp_is_turned_into_a_number(api_key: ApiKey, sent: str, moment: float) -> None:
    refuse(api_key, f'{{"event_name": "x", "timestamp": {sent}}}'.encode())
    refuse(api_key, f'{{"event_name": "y", "time": {sent}}}'.encode())
    options = ("--rename", "timestamp=timestamp:number", "--rename", "time=timestamp:number")
    assert call("replay_rejections", *options)[2] == 0
    expected = datetime.fromtimestamp(moment, UTC)
    assert list(Event.objects.values_list("timestamp", flat=True)) == [expected, expected]


def test_values_are_set_as_types(api_key: ApiKey) -> None:
    refuse(api_key, b'{"event_name": "x", "event_id": 12345678901234567890, "params": "{\\"v\\": 58.00}", "a:b": 1}')
    options = ("--rename", "event_id=event_id:text", "--rename", "params=params:json", "--rename", "a:b=c:d:",
               "--set", "tag_id:text=5", "--set", "timestamp:number=2025-05-26T16:00:00Z")  # fmt: skip
    assert call("replay_rejections", *options)[2] == 0
    event = Event.objects.get()
    assert (event.event_id, event.tag_id, event.params) == ("12345678901234567890", "5", {"v": 58.0})
    assert (event.timestamp, event.extra) == (datetime(2025, 5, 26, 16, tzinfo=UTC), {"c:d": 1})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--rename", "timestamp=timestamp:int"), "'int' is no type: write number, text, json; .*'timestamp:int:'"),
        (("--rename", "timestamp=timestamp:Number"), "'Number' is no type"),
        (("--set", "tag_id:string=5"), "'string' is no type: write number, text, json; .* written 'tag_id:string:'"),
        (("--set", ":text=5"), "':text' names no field"),
        (("--rename", "event="), "'' names no field"),
        (("--rename", "event"), "'event' is not name=value"),
    ],
)
def test_field_that_cannot_be_meant_is_refused_and_nothing_is_replayed(
    api_key: ApiKey, options: tuple[str, str], told: str
) -> None:
    refuse(api_key, b'{"event_name": "x", "timestamp": "1748275200"}')
    with pytest.raises(CommandError, match=told):
        call("replay_rejections", *options)
    assert not Event.objects.exists()


def test_colon_at_the_end_keeps_those_of_the_name(api_key: ApiKey) -> None:
    refuse(api_key, b'{"event_name": "x", "a": "1"}')
    assert call("replay_rejections", "--rename", "a=b:number:", "--set", "c:text:=1", "--set", "d:e::text=5")[2] == 0
    assert Event.objects.get().extra == {"b:number": "1", "c:text": 1, "d:e:": "5"}


@pytest.mark.parametrize("type", ["number", "text", "json"])
@pytest.mark.parametrize("value", [b"null", b'{"a": 1}', b"[1]", b'"yesterday"'])
def test_what_cannot_be_of_a_type_stays(value: bytes, type: str) -> None:
    assert as_type(value, type) == value


def test_timestamp_that_is_no_moment_is_refused_in_the_contracts_words(api_key: ApiKey) -> None:
    refuse(api_key, b'{"event_name": "x", "timestamp": "yesterday"}')
    _, said, status = call("replay_rejections", "--rename", "timestamp=timestamp:number")
    assert (status, "timestamp: must be a number" in said) == (3, True)
