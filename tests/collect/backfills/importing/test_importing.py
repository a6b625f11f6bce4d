"""`import_events`: an event of a file becomes the row that the endpoint would store, once and never twice."""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from collect.backfills import importing
from collect.backfills.formats.records import Record
from collect.backfills.run import BackfillError
from collect.models import Checkpoint, Event, Rejection
from collect.storage import ingest, store
from collect.storage.outcomes import Written
from collect.storage.rows import Arrival
from keys.models import ApiKey, Partner
from tests.collect.backfills.importing.loading import SEED, Loader, exported, lines
from tests.collect.backfills.runs import Told
from tests.harness import databases, factories

pytestmark = pytest.mark.django_db(transaction=True)


def test_event_becomes_the_row_that_the_endpoint_would_store(load: Loader) -> None:
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
    assert (event.ua_browser, event.ua_is_bot, event.ua_bot_reason) == ("curl", False, "http_library")
    assert (event.params, event.extra) == (SEED["params"], {"campaign": 7})


def test_channel_and_derived_tag(load: Loader) -> None:
    load(lines({"event_name": "custom", "page_url": "https://Shop.Example/x"}), channel="web")
    event = Event.objects.get()
    assert (event.channel, event.tag_id, event.tag_derived) == ("web", "site:shop.example", True)


@pytest.mark.parametrize("partner", ["", "x" * 256])
def test_partner_that_nobody_can_be_is_told_before_anything_is_read(load: Loader, partner: str) -> None:
    with pytest.raises(BackfillError, match="partner: "):
        load(lines(SEED), partner=partner)


def test_missing_file_and_rejects_that_are_imported(load: Loader, tmp_path: Path) -> None:
    with pytest.raises(BackfillError, match="No such file"):
        load(None, "missing.ndjson")
    with pytest.raises(BackfillError, match="is imported"):
        load(lines(SEED), "rejects.ndjson")


def test_twice_adds_nothing_also_without_event_id(load: Loader) -> None:
    content = lines(SEED, {"event_name": "custom"}, {"event_name": "custom"})
    assert load(content) == {"stored": 3}
    ids = set(Event.objects.values_list("pk", flat=True))
    assert load(None) == {"stored before": 3}
    assert set(Event.objects.values_list("pk", flat=True)) == ids
    assert not Checkpoint.objects.exists()


def test_what_was_repeated_once_is_expected_no_longer_than_it_is(load: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of two: the cheaper way of writing is left at the first repetition and taken again after it."""
    monkeypatch.setattr(importing, "STEP", 2)
    monkeypatch.setattr(zlib, "crc32", lambda _key: 0)
    tried = []
    write_new = store.write_new

    def noted(arrivals: Sequence[Arrival]) -> list[Written] | None:
        tried.append(len(arrivals))
        return write_new(arrivals)

    monkeypatch.setattr(store, "write_new", noted)
    ids = ["a", "b", "c", "a", "d", "a", "e", "f", "g", "h"]
    counts = load(lines(*({"event_name": "x", "event_id": id, "tag_id": "t"} for id in ids)))
    assert counts == {"stored": 8, "duplicate": 2}
    assert len(tried) == 3


def test_what_is_said_to_be_stored_is_on_disk(load: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    if databases.is_sqlite():
        load(lines(SEED))
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)
        return
    written = []
    write_new = store.write_new

    def noted(arrivals: Sequence[Arrival]) -> list[Written] | None:
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


def test_conflict_goes_to_the_rejects_and_not_to_the_ledger(load: Loader) -> None:
    assert load(lines(SEED, {**SEED, "params": {"value": 1}}, SEED)) == {"stored": 1, "conflict": 1, "duplicate": 1}
    (reject,) = load.rejects()
    assert (reject["code"], reject["errors"], reject["line"]) == ("conflict", {"params": ["differs"]}, 2)
    assert Event.objects.get().params == SEED["params"]
    assert not Rejection.objects.exists()


def test_rejects_are_mended_and_imported(load: Loader, tmp_path: Path) -> None:
    load(lines({"event_name": ""}, SEED, {"event_name": 5}) + b'{"event_name": \n')
    mended = load.rejects()
    mended[0]["record"]["event_name"] = mended[1]["record"]["event_name"] = "custom"
    mended[2]["record"] = '{"event_name": "custom"}'
    assert load(lines(*mended), "mended.ndjson", rejects=None) == {"stored": 3}
    assert load(lines(*mended), "mended again.ndjson", rejects=None) == {"stored before": 3}


def test_dry_run_writes_nothing_and_says_what_would_be(load: Loader, tmp_path: Path, told: Told) -> None:
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


def test_exported_event_comes_back_as_it_was(load: Loader) -> None:
    assert load(lines(exported(geo_city="Berlin", ua_browser="Chrome")), partner=None) == {"stored": 1}
    event = Event.objects.get()
    assert (str(event.pk), event.channel, event.geo_city, event.ua_browser) == (
        "01a20e6c-438d-7121-b8b0-8d8bb91d1ea3", "web", "Berlin", "Chrome"
    )  # fmt: skip
    assert event.api_key is not None
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
def test_exported_event_that_no_export_wrote_is_refused_by_field(
    load: Loader, fields: dict[str, Any], named: str
) -> None:
    factories.key(factories.partner("other"))
    ApiKey.objects.update(prefix="thrad_live_othersothers")
    assert load(lines(exported(**fields))) == {"refused: invalid_event": 1}
    assert list(load.rejects()[0]["errors"]) == [named]
    assert not Event.objects.exists()


def test_line_that_stands_twice_is_stored_once_and_said_so(load: Loader) -> None:
    twice = exported(event_id="a"), exported(event_id="a")
    assert load(lines(*twice)) == {"stored": 1, "stored before": 1}
    other = "01a20e6c-438d-7121-b8b0-8d8bb91d1ea4"
    assert load(lines(exported(id=other), exported(id=other, params={"x": 1})), "b.ndjson") == {
        "stored": 1, "conflict": 1
    }  # fmt: skip
    assert Event.objects.count() == 2


def test_exported_event_may_be_longer_than_it_was_sent(load: Loader) -> None:
    wide = exported(params={"numbers": ["x" * 1000] * 2000})
    assert load(lines(wide)) == {"stored": 1}
    assert load(lines({**SEED, "params": wide["params"]}), "sent.ndjson") == {"refused: too_large": 1}


def test_dry_run_foresees_a_key_of_another_partner(load: Loader) -> None:
    factories.key(factories.partner("other"))
    ApiKey.objects.update(prefix="thrad_live_othersothers")
    assert load(lines(exported(api_key="thrad_live_othersothers")), dry_run=True) == {"refused: invalid_event": 1}


def test_step_that_failed_is_written_by_the_next_run(
    load: Loader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those behind it are written all the same, by threads, but nobody may count them as if it had been."""
    monkeypatch.setattr(importing, "STEP", 10)
    content = lines(*({"event_name": "x", "event_id": str(number), "params": "bad"} if number % 10 == 5 else
                      {"event_name": "x", "event_id": str(number)} for number in range(100)))  # fmt: skip
    write = ingest.write
    calls: list[Sequence[Arrival]] = []
    monkeypatch.setattr(store, "write_new", lambda _arrivals: None)

    def fail_once(arrivals: Sequence[Arrival]) -> list[Written]:
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


def test_steps_are_bounded_by_bytes(load: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "STEP_BYTES", 1000)
    records = [Record(number, b"x" * 400) for number in range(7)]
    assert [len(step) for step in importing._steps(iter(records))] == [3, 3, 1]


def test_exported_id_that_is_taken_is_a_conflict(load: Loader) -> None:
    load(lines(exported(event_id="a")))
    counts = load(lines(exported(event_id="b"), exported(event_id="a", params={"x": 1})), "edited.ndjson")
    assert counts == {"conflict": 2}
