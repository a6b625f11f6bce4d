"""Liveness asks nothing; readiness says what is missing."""

from pathlib import Path

import pytest
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

from collect import checks
from collect.storage import spool
from keys import directory
from tests.harness import factories, mmdb
from tests.harness.values import some
from thrad_events import health

both = pytest.mark.django_db(databases=["default", "spool"])


class Away:
    """A connection to a database that is away."""

    vendor = "postgresql"

    def cursor(self) -> None:
        raise OperationalError("connection to db.internal refused")


def test_livez_asks_no_database(client: Client) -> None:
    assert client.get("/livez").json() == {"status": "ok"}


@both
def test_readyz_says_how_each_part_is(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.GEOIP_PATH = str(tmp_path / "city.mmdb")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    assert checks["database"]["status"] == checks["migrations"]["status"] == "ok"
    assert checks["geo"]["status"] == "missing"
    assert all(check["ms"] >= 0 for check in checks.values())
    mmdb.write_city(tmp_path / "city.mmdb")
    assert client.get("/readyz").json()["checks"]["geo"]["status"] == "ok"


@both
def test_damaged_geo_database_is_named_and_is_no_reason_not_to_be_ready(
    client: Client, settings: Settings, tmp_path: Path
) -> None:
    path = mmdb.write_city(tmp_path / "city.mmdb")
    settings.GEOIP_PATH = str(path)
    assert "thrad_geo_database_failed 0.0" in client.get("/metrics").content.decode()
    good = client.get("/readyz").json()["checks"]["geo"]
    path.write_bytes(path.read_bytes().replace(b"node_count", b"node_cOunt"))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    geo = answer.json()["checks"]["geo"]
    assert (geo["status"], geo["built_at"]) == ("failed", good["built_at"])
    assert "node_cOunt" in geo["error"]
    metrics = client.get("/metrics").content.decode()
    assert "thrad_geo_database_failed 1.0" in metrics
    assert "thrad_geo_database_age_seconds " in metrics
    (warning,) = checks.geo_database()
    assert (warning.id, "node_cOunt" in warning.msg) == ("collect.W001", True)


@both
def test_readyz_is_a_503_while_migrations_are_pending(client: Client) -> None:
    some(MigrationRecorder.Migration.objects.filter(app="collect").last()).delete()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == {
        "status": "failed",
        "pending": 1,
        "ms": answer.json()["checks"]["migrations"]["ms"],
    }


@both
def test_readyz_is_a_503_while_the_database_is_away_and_there_is_no_spool(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "connection", Away())
    monkeypatch.setattr(spool, "is_enabled", lambda: False)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"]["error"] == "OperationalError"
    assert b"internal" not in answer.content


@both
def test_readyz_is_a_200_while_the_spool_stands_in_and_a_503_when_it_is_full(
    client: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    known = directory.Directory()
    monkeypatch.setattr(directory, "knows_any", known.knows_any)
    known.find(factories.issue()[0].prefix)
    monkeypatch.setattr(health, "connection", Away())
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready, spooling")
    assert answer.json()["checks"]["spool"]["events"] == 0
    settings.SPOOL_MAX_BYTES = 4096
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["spool"]["status"]) == (503, "full")


@both
def test_readyz_is_a_503_while_no_key_is_known_and_the_database_cannot_be_asked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "knows_any", directory.Directory().knows_any)
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    assert client.get("/readyz").json()["status"] == "ready"
    monkeypatch.setattr(health, "connection", Away())
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["checks"]["spool"]["status"] == "ok"
    keys = answer.json()["checks"]["keys"]
    assert (keys["status"], keys["error"]) == ("failed", "No key is known, and the database cannot be asked")
