"""The commands of backfills as an operator calls them: options, what they say, and how they end."""

import io
import json
import logging
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from collect.backfills import command
from collect.backfills.run import Run
from collect.intake.source import Source
from collect.models import Event, Rejection
from collect.storage import ingest
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.collect.backfills.runs import NewRun, Told
from tests.harness import factories, mmdb

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "spool"])


class Terminal(io.StringIO):
    """What a terminal shows."""

    def isatty(self) -> bool:
        return True


def call(name: str, *arguments: object, stderr: io.StringIO | None = None) -> tuple[str, str, str | int | None]:
    """What the command wrote to standard output and error, and its exit status."""
    out, err = io.StringIO(), stderr or io.StringIO()
    status: str | int | None = 0
    try:
        call_command(name, *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as ended:
        status = ended.code
    return out.getvalue(), err.getvalue(), status


@pytest.fixture
def city(tmp_path: Path, settings: Settings) -> None:
    path = mmdb.write_city(tmp_path / "city.mmdb")
    settings.GEOIP_PATH = str(path)


@pytest.fixture
def source() -> Source:
    return factories.source(factories.key(factories.partner("acme"))[0], ip_address="81.2.69.160")


def test_import_and_export(tmp_path: Path) -> None:
    path, out = tmp_path / "events.ndjson", tmp_path / "out.ndjson"
    path.write_text('{"event_name": "custom", "event_id": "1"}\n{}\n')
    _, said, status = call(
        "import_events", path, "--partner", " acme ", "--create-partner", "--channel", "web", "--dry-run"
    )
    assert (status, Event.objects.count()) == (3, 0)
    assert "Dry run: nothing was written" in said
    _, said, status = call(
        "import_events", path, "--partner", "acme", "--create-partner", "--channel", "web", stderr=Terminal()
    )
    assert status == 3
    assert "1 stored" in said
    assert Event.objects.values_list("channel", "partner__name").get() == ("web", "acme")
    for selection in ((), ("--partner", "acme")):
        printed, said, status = call("export_events", "--out", out, *selection)
        assert (printed, "1 exported" in said, status) == ("", True, 0)
    assert json.loads(out.read_text())["event_id"] == "1"
    with pytest.raises(CommandError, match="1 to 32 characters"):
        call("import_events", path, "--channel", " ")
    with pytest.raises(CommandError, match=r"nowhere: No such file or directory$"):
        call("import_events", tmp_path / "nowhere")


def test_what_was_done_before_an_error_is_said(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text('[{"event_name": "custom"}')
    with pytest.raises(CommandError, match=r"cut off.*\nWhat was done is kept; run again to go on"):
        call("import_events", path, "--partner", "acme", "--create-partner")
    assert Event.objects.count() == 1


def test_reenrich_and_derive_by_selection(source: Source, city: None) -> None:
    ingest.write([factories.arrival(source, event_name=name, page_url="https://shop.example/") for name in ("a", "b")])
    Event.objects.update(tag_id="site:old")
    _, said, status = call(
        "reenrich_events", "--geo", "--event-name", "a", "--since", "2020-01-01", "--until", "2999-01-01"
    )
    assert (status, "geo_city: none → London" in said) == (0, True)
    assert dict(Event.objects.values_list("event_name", "geo_city")) == {"a": "London", "b": None}
    call("reenrich_events", "--restart", "--partner", "acme")
    assert set(Event.objects.values_list("geo_city", flat=True)) == {"London"}
    assert call("derive_tags", "--tag", "site:old")[2] == 0
    assert set(Event.objects.values_list("tag_id", flat=True)) == {"site:shop.example"}
    with pytest.raises(CommandError, match="no partner 'nobody'"):
        call("derive_tags", "--partner", "nobody")
    with pytest.raises(CommandError, match="is not a date"):
        call("derive_tags", "--since", "someday")


def test_replay_by_options(source: Source, tmp_path: Path) -> None:
    refusal = Refusal(Code.INVALID_EVENT, "event_name: required")
    factories.reject(refusal, source, *(b'{"n": %d}' % number for number in range(3)))
    first, second, third = Rejection.objects.order_by("pk").values_list("pk", flat=True)
    mended = tmp_path / "mended"
    mended.write_text(json.dumps({"rejection": second, "event": {"event_name": "mended"}}))
    assert call("replay_rejections", "--id", first, "--set", "event_name=5")[2] == 3
    assert call("replay_rejections", "--id", first, "--set", "event_name=custom", "--partner", "acme")[2] == 0
    assert call("replay_rejections", "--file", mended)[2] == 0
    assert call("replay_rejections", "--code", "conflict")[2] == 0
    assert call("replay_rejections")[2] == 3
    assert sorted(Event.objects.values_list("event_name", flat=True)) == ["custom", "mended"]
    assert Rejection.objects.get(replayed_as=None).pk == third
    with pytest.raises(CommandError, match="is not name=value"):
        call("replay_rejections", "--set", "x")
    with pytest.raises(CommandError, match="No such file"):
        call("replay_rejections", "--file", tmp_path / "nowhere")


def test_prune_and_erase(source: Source, tmp_path: Path, settings: Settings) -> None:
    settings.SPOOL_PATH = str(tmp_path / "spool.sqlite3")
    old = factories.source(ApiKey.objects.get(), received_at=datetime.now(UTC) - timedelta(days=500))
    ingest.write([factories.arrival(old), factories.arrival(source, client_id="ann"), factories.arrival(source)])
    assert "1 events deleted" in call("prune_events", "--older-than", "400d", "--partner", "acme")[1]
    assert call("prune_events", "--older-than", "400d", "--rejections", "--test-events", "--key-history")[2] == 0
    assert call("erase_events", "--partner", "acme", "--client-id", "ann", "--dry-run")[0] == ""
    proof, _, status = call("erase_events", "--partner", "acme", "--client-id", "ann")
    assert (json.loads(proof)["events"], status) == (1, 0)
    assert Event.objects.count() == 1
    for wrong in (("prune_events", "--older-than", "0"), ("erase_events", "--partner", "acme", "--event-id", " ")):
        with pytest.raises(CommandError):
            call(*wrong)


def test_a_signal_stops_between_two_steps_and_a_second_one_at_once(
    source: Source, city: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest.write([factories.arrival(source)])
    advance = Run.advance

    def interrupted(self: Run, *arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        advance(self, *arguments)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Run, "advance", interrupted)
    _, said, status = call("reenrich_events")
    assert status == 130
    assert "Run the same command again to go on from here" in said
    assert signal.getsignal(signal.SIGINT) is before

    def twice(self: Run, *arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        interrupted(self, *arguments)

    monkeypatch.setattr(Run, "advance", twice)
    with pytest.raises(KeyboardInterrupt):
        call("reenrich_events", "--restart")


def test_progress_has_rate_and_time_left(new_run: NewRun, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(is_terminal=True)
    run.begin(0.0)
    monkeypatch.setattr("collect.backfills.run.time.monotonic", lambda now=run._started_at: now + 100)
    run.advance(5_000, 0.25)
    assert "5,000 events, 50 a second, 25%, 5:00 left" in str(told)
    run._told_at -= 1
    run.advance(5_000)
    assert str(told).endswith("5,000 events, 50 a second")
    run._told_at -= 1
    run.advance(5_000, 0.001)
    assert "27:45:00 left" in str(told)


def test_log_is_in_words_on_a_terminal(source: Source, city: None) -> None:
    handler = logging.StreamHandler(io.StringIO())
    root = logging.getLogger()
    formats = {other: other.formatter for other in root.handlers}
    root.addHandler(handler)
    try:
        call("derive_tags", stderr=Terminal())
        logging.getLogger("collect").error("what happened", extra={"path": "x"})
        assert handler.stream.getvalue() == "ERROR: what happened\n"
    finally:
        root.removeHandler(handler)
        for other, formatter in formats.items():
            other.setFormatter(formatter)


def test_memory_is_kept_where_the_library_can() -> None:
    command._keep_memory()


def test_command_of_nothing_is_none() -> None:
    with pytest.raises(NotImplementedError):
        command.BackfillCommand().backfill(Run("x"), {})
