"""Probes answer whoever may reach them, under any Host and scheme."""

import logging

import pytest
from django.test import Client
from pytest_django import Settings

from thrad_events.probes import PATHS

HOSTS = ["10.0.0.7:8000", "[fd00::7]", "events_1.internal", "elsewhere.example"]


@pytest.mark.django_db(databases=["default", "spool"])
@pytest.mark.parametrize("path", sorted(PATHS))
@pytest.mark.parametrize("https", [False, True])
def test_probe_answers_under_any_host_and_scheme(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture, path: str, https: bool
) -> None:
    settings.SECURE_SSL_REDIRECT = https
    for host in HOSTS:
        assert client.get(path, headers={"host": host}).status_code == 200
        assert client.head(path, headers={"host": host}).status_code == 200
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


@pytest.mark.parametrize("path", sorted(PATHS))
def test_probe_is_only_read(client: Client, path: str) -> None:
    answer = client.post(path, headers={"host": HOSTS[0]})
    assert (answer.status_code, answer["Allow"], answer.json()["code"]) == (405, "GET, HEAD", "method_not_allowed")


def test_metrics_are_still_for_the_networks_of_metrics_allow_alone(client: Client) -> None:
    answer = client.get("/metrics", headers={"host": HOSTS[0]}, REMOTE_ADDR="192.0.2.7")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_everything_else_is_checked_as_before(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/").status_code == 301
    assert client.get("/", headers={"host": HOSTS[3]}).status_code == 400
