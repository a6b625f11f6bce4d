"""keys.authentication: through a view, as a sender sees it."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from pytest_django import DjangoAssertNumQueries
from time_machine import TimeMachineFixture

from keys import authentication, crypto, directory
from keys.models import ApiKey
from runtime.requests import ServedRequest
from tests.harness import factories
from tests.harness.values import some
from tests.keys.conftest import failing

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.keys.urls")]


def ask(authorization: str | None = None, client: Client | None = None, **extra: Any) -> Any:
    headers = {"X-Request-Id": "r1"} | ({} if authorization is None else {"Authorization": authorization})
    return (client or Client()).get("/who", headers=headers, **extra)


def assert_refused(response: Any, code: str, detail: str) -> None:
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert json.loads(response.content) == {"detail": detail, "code": code, "request_id": "r1"}


def assert_missing(response: Any) -> None:
    assert_refused(response, "missing_token", "Missing bearer token")


def assert_invalid(response: Any) -> None:
    assert_refused(response, "invalid_key", "Invalid API key")


def test_key_opens_the_door_for_nobody_but_its_partner() -> None:
    key, raw_key = factories.issue()
    response = ask(f"Bearer {raw_key}")
    assert response.status_code == 200
    assert response.json() == {"prefix": key.prefix, "user": None}


@pytest.mark.parametrize("start", ["bearer ", "BEARER ", "bEaReR ", "Bearer   "])
def test_scheme_is_case_insensitive_and_spaces_are_free(start: str) -> None:
    _, raw_key = factories.issue()
    assert ask(start + raw_key + " ").status_code == 200


def test_known_key_asks_no_database(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    _, raw_key = factories.issue()
    with django_assert_num_queries(1):
        ask(f"Bearer {raw_key}")
    with django_assert_num_queries(0):
        for _ in range(5):
            assert ask(f"Bearer {raw_key}").status_code == 200


def test_auth_carries_the_partner_without_another_query(
    django_assert_num_queries: DjangoAssertNumQueries, rf: RequestFactory
) -> None:
    key, raw_key = factories.issue(is_test=True)
    request = cast(ServedRequest, rf.get("/", headers={"Authorization": f"Bearer {raw_key}"}))
    request.client_address = "192.0.2.7"
    with django_assert_num_queries(1):
        user, auth = authentication.BearerKeyAuthentication().authenticate(request)
        assert (auth.partner.name, auth.partner_id, auth.id, auth.is_test) == (
            "Acme",
            key.partner_id,
            key.id,
            True,
        )
    assert user is None


@pytest.mark.parametrize(
    "header", [None, "", " ", "Basic dXNlcjpwYXNz", "Digest a=b, c=d", "Bearer", "Bearer ", "Bearer  "]
)
def test_no_bearer_credential_is_a_missing_token(header: str | None) -> None:
    assert_missing(ask(header))


def test_key_elsewhere_than_in_the_header_is_a_missing_token() -> None:
    _, raw_key = factories.issue()
    client = Client()
    client.cookies["Authorization"] = f"Bearer {raw_key}"
    assert_missing(ask(None, client, query_params={"api_key": raw_key, "access_token": raw_key}))
    assert_missing(ask(None, data={"Authorization": f"Bearer {raw_key}"}))
    assert_missing(ask(f"Basic {raw_key}"))
    assert_missing(ask(raw_key))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw_key: "x",
        lambda raw_key: raw_key[:-1],
        lambda raw_key: raw_key[:-1] + ("0" if raw_key[-1] != "0" else "1"),
        lambda raw_key: raw_key + "\0",
        lambda raw_key: raw_key[:20] + "\0" + raw_key[21:],
        lambda raw_key: raw_key.replace("thrad", "thräd"),
        lambda raw_key: raw_key + " x",
        lambda raw_key: raw_key + f",Bearer {raw_key}",
        lambda raw_key: f"\t{raw_key}",
        lambda raw_key: "\xa0" + raw_key,
        lambda raw_key: "a" * 8192,
        lambda raw_key: raw_key * 110,
        lambda raw_key: "🔑",
    ],
)
def test_malformed_key_is_invalid_without_asking_the_database(
    spoil: Callable[[str], str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, raw_key = factories.issue()
    with django_assert_num_queries(0):
        assert_invalid(ask(f"Bearer {spoil(raw_key)}"))


@pytest.mark.parametrize("first", ["Basic dXNlcjpwYXNz", "Bearer x"])
def test_two_headers_are_invalid(first: str) -> None:
    _, raw_key = factories.issue()
    assert_invalid(ask(f"{first},Bearer {raw_key}"))


def test_refusals_are_alike_to_the_byte() -> None:
    _, good = factories.issue()
    same_prefix = crypto.prefix_of(good) + "_" + "A" * 43
    refused = [
        "x",
        factories.unknown(),
        factories.revoked()[1],
        factories.expired()[1],
        same_prefix + crypto._crc(same_prefix),
    ]
    answers = [ask(f"Bearer {raw_key}") for raw_key in refused + refused]
    for answer in answers:
        assert_invalid(answer)
    assert len({(answer.content, tuple(sorted(answer.headers.items()))) for answer in answers}) == 1


def test_right_prefix_with_another_secret_is_invalid() -> None:
    key, _ = factories.issue()
    body = f"{key.prefix}_{'A' * 43}"
    forged = body + crypto._crc(body)
    assert crypto.parse(forged) == key.prefix
    assert_invalid(ask(f"Bearer {forged}"))


def test_key_expires_while_it_is_cached(time_machine: TimeMachineFixture) -> None:
    _, raw_key = factories.issue(expires_at=timezone.now() + timedelta(minutes=1))
    assert ask(f"Bearer {raw_key}").status_code == 200
    time_machine.move_to(timezone.now() + timedelta(minutes=2))
    assert_invalid(ask(f"Bearer {raw_key}"))


def test_database_away_keeps_a_known_key_working_and_refuses_no_unknown_one() -> None:
    _, known = factories.issue()
    _, unmet = factories.issue()
    assert ask(f"Bearer {known}").status_code == 200
    with failing():
        response = ask(f"Bearer {unmet}")
        assert response.status_code == 503
        assert response.json()["code"] == "unavailable"
        assert "Retry-After" in response.headers
        assert ask(f"Bearer {known}").status_code == 200
        assert_invalid(ask("Bearer x"))


def test_only_an_accepted_key_counts_as_used() -> None:
    good, good_raw = factories.issue()
    ended, ended_raw = factories.revoked()
    for raw_key in (good_raw, ended_raw):
        ask(f"Bearer {raw_key}")
    assert directory.housekeep()
    assert ApiKey.objects.get(pk=good.pk).last_used_at is not None
    assert ApiKey.objects.get(pk=ended.pk).last_used_at is None


def test_raw_key_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, good = factories.issue()
    _, ended = factories.revoked()
    _, unmet = factories.issue()
    # The connection's own debug log shows parameters of statements; none of them may be a raw key either.
    answers = [ask(f"Bearer {raw_key}") for raw_key in (good, ended, good[:-1], f"{good},{good}")]
    with failing():
        answers.append(ask(f"Bearer {unmet}"))
    assert [answer.status_code for answer in answers] == [200, 401, 401, 401, 503]
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "refused" in logged
    for raw_key in (good, ended, unmet):
        assert raw_key[24:60] not in logged
        assert raw_key[24:60] not in caplog.text


def test_openapi_names_the_scheme() -> None:
    scheme = some(OpenApiAuthenticationExtension.get_match(authentication.BearerKeyAuthentication()))
    assert scheme.name == "bearerKey"
    definition = scheme.get_security_definition(cast(AutoSchema, None))
    assert isinstance(definition, dict)
    assert (definition["type"], definition["scheme"]) == ("http", "bearer")
