"""`replay_rejections`: what is mended comes in once."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.db import DataError
from msgspec import Raw

from collect.backfills.mending import read_bodies
from collect.backfills.replaying import ReplayOptions, replay_rejections
from collect.backfills.run import BackfillError, Run
from collect.mending import step
from collect.mending.operations import Operation, Rename, Set
from collect.models import Event, Rejection
from collect.storage import store
from collect.storage.rows import Arrival
from keys.models import ApiKey
from tests.collect.backfills.old import OLD, events, kept, refuse
from tests.collect.backfills.runs import Command, NewRun, send_beside
from tests.harness import factories
from tests.harness.server import Server

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "spool"]),
    pytest.mark.usefixtures("own_spool"),
]


def put(path: str, text: str) -> Operation:
    return Set(path, Raw(json.dumps(text).encode()))


NAMED = put("event_name", "custom")


def replay(run: Run, **options: Any) -> dict[str, int]:
    replay_rejections(ReplayOptions(**options), run)
    return kept(run)


def test_replay_after_a_mend_gives_the_event_that_it_would_have_been(api_key: ApiKey, new_run: NewRun) -> None:
    rejection = refuse(api_key, b'{"event": "order_created", "event_id": "e", "params": {"a": 1.50}}', age=OLD)
    assert replay(new_run()) == {"still refused: invalid_event": 1}
    rename = Rename("event", "event_name")
    assert replay(new_run(dry_run=True), operations=[rename]) == {"stored": 1}
    assert not Event.objects.exists()
    assert replay(new_run(), operations=[rename, put("tag_id", "t")]) == {"stored": 1}
    event = Event.objects.get()
    assert (event.event_name, event.tag_id, event.event_id) == ("order_created", "t", "e")
    assert (event.received_at, event.api_key, event.ip_address) == (rejection.received_at, api_key, "127.0.0.1")
    rejection.refresh_from_db()
    assert rejection.replayed_as == event.pk
    assert rejection.replayed_at is not None


def test_replay_never_twice(api_key: ApiKey, new_run: NewRun) -> None:
    refuse(api_key, b"{}")
    for expected in ("stored", "replayed before"):
        assert replay(new_run(), operations=[NAMED]) == {expected: 1}
    Rejection.objects.update(replayed_as=None)  # as after a restore of the rejections alone
    assert replay(new_run(), operations=[NAMED]) == {"duplicate": 1}
    assert Event.objects.count() == 1


def test_replay_passes_over_what_is_erased_meanwhile(
    api_key: ApiKey, new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(api_key, b"{}")
    judged = step.Judge.__call__

    def erased(judge: step.Judge, rejection: Rejection) -> step.Judged:
        found = judged(judge, rejection)
        Rejection.objects.all().delete()
        return found

    monkeypatch.setattr(store, "_document", lambda arrivals: pytest.fail("it was written"))
    monkeypatch.setattr(step.Judge, "__call__", erased)
    assert replay(new_run(), operations=[NAMED]) == {"pruned or erased meanwhile": 1}


def test_replay_selects_and_reads_mended_bodies(api_key: ApiKey, new_run: NewRun, tmp_path: Path) -> None:
    first, second, third = (refuse(api_key, body) for body in (b"not json", b"{}", b"[1"))
    Rejection.objects.filter(pk=second.pk).update(code="too_large")
    assert replay(new_run(), codes=["too_large"], operations=[put("event_name", "x")]) == {"stored": 1}
    path = tmp_path / "mended.ndjson"
    path.write_text(json.dumps({"rejection": first.pk, "event": {"event_name": "mended"}}) + "\n")
    assert replay(new_run(), bodies=read_bodies(str(path))) == {"stored": 1}
    assert replay(new_run(), ids=[third.pk], operations=[put("event_name", "x")]) == {"still refused: invalid_json": 1}
    assert sorted(Event.objects.values_list("event_name", flat=True)) == ["mended", "x"]
    with pytest.raises(BackfillError, match="No such rejection"):
        replay(new_run(), ids=[third.pk + 1])
    path.write_text('{"rejection": "x"}\n')
    with pytest.raises(BackfillError, match=r"mended.ndjson:1: "):
        read_bodies(str(path))


def test_replay_keeps_to_the_rules(api_key: ApiKey, new_run: NewRun) -> None:
    events(api_key, "e", params={"a": 1})
    refuse(api_key, b'{"event_name": "custom", "event_id": "e", "params": {"a": 2}}')
    big = refuse(api_key, b'{"event_name": "custom", "params": {"a": "' + b"a" * 70_000 + b'"}}')
    api_key.tags = ["only"]
    api_key.save()
    counts = replay(new_run(), operations=[put("tag_id", "other")])
    assert counts == {"still refused: tag_not_allowed": 1, "left: the body was kept in part only": 1}
    api_key.tags = []
    api_key.save()
    for run in (new_run(dry_run=True), new_run()):
        assert replay(run)["still refused: conflict"] == 1
    assert replay(new_run(), operations=[put("event_id", "f")])["stored"] == 1
    big.refresh_from_db()
    assert big.replayed_as is None
    assert Rejection.objects.count() == 2


def test_replay_of_what_the_database_refuses_is_told(
    api_key: ApiKey, new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_it(_arrivals: Sequence[Arrival]) -> NoReturn:
        raise DataError("cannot keep this")

    refuse(api_key, b'{"event_name": "custom"}')
    with monkeypatch.context() as patched:
        patched.setattr(store, "write", refuse_it)
        assert replay(new_run()) == {"still refused: invalid_event": 1}
    assert replay(new_run()) == {"stored": 1}


def test_replay_killed_and_run_again_beside_live_traffic(command: Command, server: Server) -> None:
    api_key, raw_key = factories.key(factories.partner("acme"))
    for _ in range(800):
        refuse(api_key, b"{}")
    arguments = ("replay_rejections", "--partner", "acme", "--set", "event_name=custom")
    assert command.kill_when(lambda: Event.objects.count() > 50, *arguments) == -signal.SIGKILL
    assert 50 < Event.objects.count() < 800
    process = command.start(*arguments)
    sent = send_beside(process, server, raw_key).total()
    assert Event.objects.count() == 800 + sent
    assert set(Rejection.objects.values_list("replayed_as", flat=True)) == set(
        Event.objects.filter(event_name="custom").values_list("pk", flat=True)
    )
    assert "800 replayed before" in command(*arguments).stderr
    refuse(api_key, b"{}")
    assert command("replay_rejections").returncode == 3
    assert command("replay_rejections", "--set", "x").returncode == 2
