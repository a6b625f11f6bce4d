"""Builds that send with a key are known, also those of which nothing is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from collect.models import Build, Rejection
from collect.storage.grouping import builds
from keys import crypto
from keys.models import ApiKey
from tests.console.key_pages import database_contains
from tests.harness import factories

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 26, 12, 0, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def key() -> ApiKey:
    return factories.key()[0]


def known() -> dict[str, tuple[datetime, datetime, int]]:
    return {build.user_agent: (build.first_seen, build.last_seen, build.requests) for build in Build.objects.all()}


def test_requests_are_added_to_those_that_were_written(key: ApiKey) -> None:
    for seconds in (0, 3):
        builds.count(key.pk, {"HTTP_USER_AGENT": "svc/1"}, NOON + seconds * SECOND)
    builds.write()
    builds.count(key.pk, {"HTTP_USER_AGENT": "svc/1"}, NOON + 9 * SECOND)
    builds.write()
    builds.write()
    assert known() == {"svc/1": (NOON, NOON + 9 * SECOND, 3)}


def test_request_without_the_header_is_a_build_too(key: ApiKey) -> None:
    builds.count(key.pk, {"HTTP_USER_AGENT": ""}, NOON)
    builds.count(key.pk, {"REQUEST_METHOD": "POST"}, NOON)
    builds.count(key.pk, {"HTTP_USER_AGENT": "x" * 300}, NOON)
    builds.count(key.pk, {"HTTP_USER_AGENT": "x" * 301}, NOON)
    builds.write()
    assert {name: use[2] for name, use in known().items()} == {builds.NONE: 2, "x" * 256: 2}


def test_key_that_the_database_does_not_have_holds_up_no_other(key: ApiKey) -> None:
    for pk in (key.pk, key.pk + 1_000):
        builds.count(pk, {"HTTP_USER_AGENT": "svc/1"}, NOON)
    builds.write()
    assert known() == {"svc/1": (NOON, NOON, 1)}


def test_memory_is_bounded_by_key(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "_MAX_IN_MEMORY", 2)
    for number in range(9):
        builds.count(key.pk, {"HTTP_USER_AGENT": f"svc/{number}"}, NOON)
    builds.write()
    assert {name: use[2] for name, use in known().items()} == {"svc/0": 1, "svc/1": 1, builds.OTHER: 7}


def test_table_is_bounded_by_key_and_day(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "MAX_NEW_A_DAY", 2)
    for day in range(2):
        for number in range(4):
            builds.count(key.pk, {"HTTP_USER_AGENT": f"svc/{day}.{number}"}, NOON + timedelta(days=day))
            builds.write()
    assert {name: use[2] for name, use in known().items()} == {
        "svc/0.0": 1, "svc/0.1": 1, builds.OTHER: 4, "svc/1.0": 1, "svc/1.1": 1,
    }  # fmt: skip


def test_good_events_tell_their_build_and_a_validation_does_not(client: Client) -> None:
    _, raw_key = factories.issue()
    headers = {"authorization": f"Bearer {raw_key}", "user-agent": "orders-svc/2.13"}
    for address in ("/api/collect", "/api/collect/batch"):
        body = factories.SEED_EVENT if address == "/api/collect" else [factories.SEED_EVENT]
        assert client.post(address, body, content_type="application/json", headers=headers).status_code < 300
    headers["user-agent"] = "curl/8"
    validated = client.post(
        "/api/collect/validate", factories.SEED_EVENT, content_type="application/json", headers=headers
    )
    assert validated.status_code == 200
    builds.write()
    assert {name: use[2] for name, use in known().items()} == {"orders-svc/2.13": 2}


def test_secret_of_a_key_is_no_part_of_a_build(client: Client) -> None:
    key, raw_key = factories.issue()
    headers = {"authorization": f"Bearer {raw_key}", "user-agent": f"svc/1 key={raw_key}"}
    for body, kind in (("{}", "application/json"), ("{}", f"text/{raw_key}"), (b'{"event_name": "a"}', "text/json")):
        client.post("/api/collect", body, content_type=kind, headers=headers)
    client.post("/api/collect", factories.SEED_EVENT, content_type="application/json", headers=headers)
    builds.write()
    assert set(known()) == {f"svc/1 key={key.prefix}_…"}
    assert {rejection.user_agent for rejection in Rejection.objects.all()} == set(known())
    assert database_contains(raw_key.rpartition("_")[2]) == []
    assert database_contains(raw_key.rpartition("_")[2].lower()) == []


def test_name_of_a_build_that_is_known_is_not_looked_at_again(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def masked(text: str) -> str:
        looked.append(text)
        return text

    monkeypatch.setattr(crypto, "masked", masked)
    for _ in range(9):
        builds.count(key.pk, {"HTTP_USER_AGENT": "svc/1"}, NOON)
    assert looked == ["svc/1"]
