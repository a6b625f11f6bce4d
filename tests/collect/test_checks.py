"""System checks of the app: each says what is wrong and what to do."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import NoReturn, Self

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from collect import checks
from tests.harness import mmdb


@pytest.fixture
def city(settings: Settings, tmp_path: Path) -> Path:
    settings.GEOIP_PATH = str(tmp_path / "city.mmdb")
    return tmp_path / "city.mmdb"


def test_proxy_that_is_no_network_is_an_error(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "proxy.internal"]
    (error,) = checks.networks()
    assert error.id == "collect.E001"
    assert "'proxy.internal'" in error.msg
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "fd00::/8"]
    assert checks.networks() == []


def test_missing_geo_database_is_a_warning(city: Path) -> None:
    (warning,) = checks.geo_database()
    assert (warning.id, "no such file" in warning.msg) == ("collect.W001", True)
    assert "update_geoip" in (warning.hint or "")
    mmdb.write_city(city)
    assert checks.geo_database() == []


def test_old_geo_database_is_a_warning(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mmdb.write_city(city)

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2100, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(checks, "datetime", Later)
    (warning,) = checks.geo_database()
    assert warning.id == "collect.W002"


@pytest.fixture
def unsafe() -> Iterator[str]:
    """The connection of the test, with a setting that can lose a commit."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET synchronous_commit = off")
            yield "synchronous_commit is off in PostgreSQL"
            cursor.execute("RESET synchronous_commit")
        else:
            cursor.execute("PRAGMA synchronous = NORMAL")
            yield "PRAGMA synchronous is 1 in SQLite, below FULL"
            cursor.execute("PRAGMA synchronous = FULL")


@pytest.mark.django_db(transaction=True)
def test_database_that_may_lose_commits_is_a_warning_of_check_and_of_deploy(unsafe: str) -> None:
    (warning,) = checks.durability(databases=["default"])
    assert (warning.id, warning.msg) == ("collect.W004", unsafe)
    assert checks.durability_at_deployment() == [warning]
    assert checks.durability_at_deployment(databases=["default"]) == []
    assert checks.durability(databases=None) == []


@pytest.mark.django_db(transaction=True, databases=["default", "spool"])
def test_database_that_may_lose_commits_is_seen_on_the_readiness_page(client: Client, unsafe: str) -> None:
    assert client.get("/readyz").json()["checks"]["database"]["warnings"] == [unsafe]


@pytest.mark.django_db
def test_safe_database_is_no_warning() -> None:
    assert checks.durability(databases=["default"]) == []


def test_database_that_is_away_is_another_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> NoReturn:
        raise OperationalError("connection refused")

    monkeypatch.setattr(checks, "problems", away)
    (warning,) = checks.durability(databases=["default"])
    assert warning.id == "collect.W005"
    assert "connection refused" in warning.msg
