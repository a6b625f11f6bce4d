"""Requests of an armed key are kept as they came, and no more of them than were asked for."""

import gzip
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DataError, OperationalError
from django.test import Client
from django.utils import timezone
from time_machine import TimeMachineFixture

from collect.captures import keeping as captures
from collect.captures import recording
from collect.models import Capture, Event
from collect.storage import ingest
from collect.storage.outcomes import Outcome, Written
from collect.storage.rows import Arrival
from keys import lifecycle
from keys.models import ApiKey
from tests.collect.captures.sent import EVENT, arm, send, written
from tests.harness import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("queue")]

Pair = tuple[ApiKey, str]


@pytest.fixture
def pair() -> Pair:
    """A key that is armed for ten requests."""
    key, raw_key = factories.issue()
    arm(key)
    return key, raw_key


def test_request_and_answer_are_kept_byte_for_byte(pair: Pair) -> None:
    key, raw_key = pair
    before = datetime.now(UTC)
    response = send(raw_key, **{"X-Request-Id": "mine", "User-Agent": "orders/2.14"})
    (kept,) = written()
    assert (kept.api_key, kept.partner, kept.request_id) == (key, key.partner, "mine")
    assert (kept.method, kept.path, kept.ip_address) == ("POST", "/api/collect", "127.0.0.1")
    assert (bytes(kept.body), kept.body_size) == (EVENT, len(EVENT))
    assert ["User-Agent", "orders/2.14"] in kept.headers
    assert ["Content-Type", "application/json"] in kept.headers
    assert (kept.status, bytes(kept.answer), kept.answer_size) == (204, b"", 0)
    told = {name: response[name] for name in ("X-Event-Id", "X-Event-Outcome", "X-Request-Id")}
    assert dict(kept.answer_headers) == told
    assert before <= kept.received_at <= datetime.now(UTC)
    assert 0 < kept.milliseconds < (datetime.now(UTC) - before).total_seconds() * 1_000
    assert Event.objects.count() == 1


def test_nothing_is_kept_of_a_key_that_is_not_armed(pair: Pair) -> None:
    _, other = factories.issue()
    assert send(other).status_code == 204
    assert captures.shared.is_empty
    assert written() == []


def test_gzip_stays_gzip(pair: Pair) -> None:
    body = gzip.compress(EVENT)
    assert send(pair[1], body, **{"Content-Encoding": "gzip"}).status_code == 204
    (kept,) = written()
    assert bytes(kept.body) == body


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/api/collect", b'{"event_name": ""}', {}, 400),
        ("/api/collect", EVENT, {"Content-Type": "text/plain"}, 415),
        ("/api/collect/batch", b"[%s,{}]" % EVENT, {}, 200),
        ("/v1/api/collect/batch", b"{", {}, 400),
        ("/api/collect/validate?x=1", EVENT, {}, 200),
    ],
)
def test_any_endpoint_and_outcome_is_kept(
    pair: Pair, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    response = send(pair[1], body, path, **headers)
    (kept,) = written()
    assert (kept.path, bytes(kept.body), kept.status) == (path, body, status)
    assert bytes(kept.answer) == response.content
    assert response.status_code == status


def test_request_over_its_limit_is_kept(pair: Pair) -> None:
    key, raw_key = pair
    ApiKey.objects.filter(pk=key.pk).update(per_day=1)
    assert [send(raw_key).status_code for _ in range(2)] == [204, 429]
    kept = written()
    assert [(one.status, bytes(one.body)) for one in kept] == [(204, EVENT), (429, EVENT)]
    assert "Retry-After" in dict(kept[1].answer_headers)


def test_request_that_could_not_be_kept_is_kept(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(arrivals: Sequence[Arrival]) -> list[Written]:
        return [Written(Outcome.UNAVAILABLE, arrival.row.id) for arrival in arrivals]

    monkeypatch.setattr(ingest, "submit", nowhere)
    assert send(pair[1]).status_code == 503
    assert [one.status for one in written()] == [503]


@pytest.mark.parametrize("why", ["revoked", "expired", "foreign"])
def test_request_that_is_denied_is_kept_without_its_body_which_nobody_read(why: str) -> None:
    make: dict[str, Callable[[], Pair]] = {
        "revoked": factories.revoked,
        "expired": factories.expired,
        "foreign": lambda: factories.issue(networks=["192.0.2.0/24"]),
    }
    key, raw_key = make[why]()
    arm(key)
    assert send(raw_key).status_code == 401
    (kept,) = written()
    assert (kept.api_key, kept.status, bytes(kept.body), kept.body_size) == (key, 401, b"", 0)
    assert dict(kept.headers)["Content-Length"] == str(len(EVENT))


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/collect", 405), ("POST", "/api/collect/", 404)])
def test_request_with_a_wrong_method_or_path_is_kept(pair: Pair, method: str, path: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {pair[1]}"}
    assert Client().generic(method, path, EVENT, "application/json", headers=headers).status_code == status
    (kept,) = written()
    assert (kept.method, kept.path, kept.status, bytes(kept.body)) == (method, path, status, b"")


def test_key_that_is_wrong_is_nobody_s(pair: Pair) -> None:
    key, _ = pair
    assert send(f"{key.prefix}_{'0' * 49}").status_code == 401
    assert send("nobody").status_code == 401
    assert captures.shared.is_empty


def test_no_secret_is_kept(pair: Pair) -> None:
    _, raw_key = pair
    hidden = {
        "Cookie": "session=hidden",
        "Proxy-Authorization": "Basic hidden",
        **dict.fromkeys(("X-Api-Key", "X-Auth-Token", "X-Signature", "X-Access-Key", "X-Key"), "hidden"),
        **dict.fromkeys(("X-Session-Id", "X-Jwt-Assertion", "X-Bearer"), "hidden"),
        "X-Note": f"key={raw_key}",
        "X-Request-Id": raw_key,
    }
    body = b'{"event_name": "custom", "params": {"x": "%s"}}' % raw_key.encode()
    send(raw_key, body, f"/api/collect/validate?key={raw_key}&k={raw_key.replace('_', '%5F')}", **hidden)
    (kept,) = written()
    names = [name for name, _ in kept.headers]
    assert "Authorization" not in names
    assert "Cookie" not in names
    assert "Proxy-Authorization" not in names
    assert ["X-Api-Key", recording.REMOVED] in kept.headers
    assert bytes(kept.body) == body
    rest = str([kept.headers, kept.answer_headers, kept.path, kept.request_id, bytes(kept.answer)])
    assert "hidden" not in rest
    assert raw_key not in rest
    assert raw_key.rpartition("_")[2] not in rest
    assert f"{raw_key.rpartition('_')[0]}_[removed]" in kept.path


def test_body_is_kept_up_to_a_mebibyte(pair: Pair) -> None:
    body = b"[" + b" " * (2 * recording.KEPT_BYTES) + b"]"
    send(pair[1], body, "/api/collect/batch")
    (kept,) = written()
    assert (bytes(kept.body), kept.body_size) == (body[: recording.KEPT_BYTES], len(body))


# --- how many ---


def test_no_more_are_kept_than_were_asked_for() -> None:
    key, raw_key = factories.issue()
    arm(key, 2)
    for _ in range(5):
        send(raw_key)
    assert len(written()) == 2
    assert ApiKey.objects.get().capture_left == 0
    send(raw_key)
    assert len(written()) == 2


def test_two_workers_together_keep_no_more_than_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    key, raw_key = factories.issue()
    arm(key, 3)
    queues = [captures.Queue(), captures.Queue()]
    for queue in queues:
        monkeypatch.setattr(captures, "shared", queue)
        for _ in range(3):
            send(raw_key)
    assert [queue.write() for queue in queues] == [3, 0]
    assert Capture.objects.count() == 3


def test_order_ends_after_ten_minutes(time_machine: TimeMachineFixture) -> None:
    key, raw_key = factories.issue()
    arm(key)
    time_machine.move_to(timezone.now() + lifecycle.CAPTURE_TIME)
    send(raw_key)
    assert captures.shared.is_empty
    time_machine.move_to(timezone.now() + captures.WAITED + timedelta(seconds=1))
    captures.prune()
    assert ApiKey.objects.get().capture_left == 0


def test_what_was_being_served_when_it_was_stopped_is_not_kept(pair: Pair) -> None:
    key, raw_key = pair
    send(raw_key)
    lifecycle.stop_capture([key.pk], factories.ACTOR)
    assert written() == []


def test_what_was_ordered_before_is_no_part_of_the_next_order(pair: Pair) -> None:
    key, raw_key = pair
    send(raw_key, b'{"event_name": "before"}')
    arm(key, 1)
    send(raw_key)
    assert [bytes(one.body) for one in written()] == [EVENT]


def test_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures, "MAX_WAITING_BYTES", 3 * len(EVENT))
    key, raw_key = factories.issue()
    arm(key, 100)
    for _ in range(10):
        assert send(raw_key).status_code == 204
    assert len(written()) == 3


# --- what fails ---


def failing(*_args: object, **_kwargs: object) -> None:
    raise ValueError("broken")


@pytest.mark.parametrize("method", ["__init__", "end"])
def test_recording_that_fails_loses_the_capture_and_never_the_event(
    pair: Pair, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording.Recording, method, failing)
    assert send(pair[1]).status_code == 204
    assert Event.objects.count() == 1
    assert written() == []


def test_capture_waits_while_the_database_is_away(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object) -> bool:
        raise OperationalError("it is away")

    send(pair[1])
    with monkeypatch.context() as patched:
        patched.setattr(captures, "_write", away)
        captures.turn()
    assert not captures.shared.is_empty
    assert len(written()) == 1


def test_capture_that_the_database_refuses_holds_up_no_other(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    write = captures._write

    def refuse_one(until: datetime, capture: Capture) -> bool:
        if capture.status == 400:
            raise DataError("refused")
        return write(until, capture)

    monkeypatch.setattr(captures, "_write", refuse_one)
    send(pair[1], b"{")
    send(pair[1])
    captures.turn()
    assert [one.status for one in Capture.objects.all()] == [204]
    assert captures.shared.is_empty


# --- how long ---


def test_capture_lives_for_a_day(pair: Pair, time_machine: TimeMachineFixture) -> None:
    now = timezone.now()
    send(pair[1])
    written()
    time_machine.move_to(now + captures.KEPT_FOR - timedelta(minutes=1))
    assert captures.prune() == 0
    time_machine.move_to(now + captures.KEPT_FOR + timedelta(minutes=1))
    assert captures.prune() == 1
    assert not Capture.objects.exists()


def test_thread_asks_the_database_nothing_while_nothing_waits(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(captures, "_turns", iter(range(1, captures.TURNS_OF_PRUNING + 1)))
    with django_assert_num_queries(0):
        for _ in range(captures.TURNS_OF_PRUNING - 1):
            captures.turn()
    with django_assert_num_queries(2):
        captures.turn()
