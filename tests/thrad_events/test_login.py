"""The console's login: five wrong passwords of a name from an address, and that pair waits; nobody else does."""

import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from time_machine import TimeMachineFixture

from tests.harness import factories

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def throttled(settings: Settings) -> None:
    settings.AXES_ENABLED = True
    User.objects.create_superuser("operator", password="right")
    User.objects.create_superuser("other", password="right")


def log_in(password: str, username: str = "operator", address: str = "198.51.100.1", **headers: str) -> int:
    client = Client(REMOTE_ADDR=address, headers=headers)
    return client.post(LOGIN, {"username": username, "password": password}).status_code


def lock(**fields: str) -> int:
    statuses = [log_in("wrong", **fields) for _ in range(5)]
    assert statuses[:4] == [HTTPStatus.OK] * 4
    return statuses[4]


def test_five_wrong_passwords_lock_the_pair_and_nobody_else(time_machine: TimeMachineFixture) -> None:
    assert lock() == HTTPStatus.TOO_MANY_REQUESTS
    assert log_in("right") == HTTPStatus.TOO_MANY_REQUESTS
    assert log_in("right", username="other") == HTTPStatus.FOUND
    assert log_in("right", address="198.51.100.2") == HTTPStatus.FOUND
    time_machine.move_to(timezone.now() + timedelta(minutes=16))
    assert log_in("right") == HTTPStatus.FOUND


def test_success_forgets_the_failures_before_it() -> None:
    for _ in range(2):
        assert [log_in("wrong") for _ in range(4)] == [HTTPStatus.OK] * 4
        assert log_in("right") == HTTPStatus.FOUND


def test_page_says_what_happened_and_what_to_do() -> None:
    lock()
    response = Client(REMOTE_ADDR="198.51.100.1").post(LOGIN, {"username": "operator", "password": "right"})
    text = re.sub(r"\s+", " ", response.content.decode())
    assert "Too many attempts to log in" in text
    assert "for 15 minutes" in text
    assert response["Retry-After"] == "900"


def test_command_ends_the_wait(capsys: pytest.CaptureFixture[str]) -> None:
    lock()
    call_command("axes_reset_username", "operator")
    assert log_in("right") == HTTPStatus.FOUND


def test_header_of_a_stranger_does_not_change_who_is_locked() -> None:
    for n in range(5):
        log_in("wrong", **{"X-Forwarded-For": f"203.0.113.{n}"})
    assert log_in("right", **{"X-Forwarded-For": "203.0.113.99"}) == HTTPStatus.TOO_MANY_REQUESTS


def test_api_knows_nothing_of_it() -> None:
    lock(address="127.0.0.1")
    _, raw_key = factories.key()
    client = Client(headers={"Authorization": f"Bearer {raw_key}"})
    assert client.post("/api/collect", b'{"event_name":"x"}', "application/json").status_code == HTTPStatus.NO_CONTENT


def test_login_that_comes_from_no_page_leads_to_the_first_one() -> None:
    answer = Client().post(LOGIN, {"username": "operator", "password": "right"}, follow=True)
    assert answer.redirect_chain == [("/admin/", HTTPStatus.FOUND)]
    assert answer.status_code == HTTPStatus.OK


def test_login_leads_back_to_the_page_that_asked_for_it_and_to_no_other_site() -> None:
    for asked, led_to in (("/admin/keys/apikey/?q=a", "/admin/keys/apikey/?q=a"), ("//evil.example/", "/admin/")):
        form = {"username": "operator", "password": "right", "next": asked}
        assert Client().post(LOGIN, form).headers["Location"] == led_to
