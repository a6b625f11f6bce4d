"""Liveness asks nothing; readiness says what is missing."""

import pytest
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder

from collect import geo
from tests import mmdb
from thrad_events import health


def test_livez_asks_no_database(client):
    assert client.get("/livez").json() == {"status": "ok"}


@pytest.mark.django_db
def test_readyz_says_how_each_part_is(client, monkeypatch, tmp_path):
    monkeypatch.setattr(geo, "_file", geo.CityFile(str(tmp_path / "city.mmdb")))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    assert checks["database"]["status"] == checks["migrations"]["status"] == "ok"
    assert checks["geo"]["status"] == "missing"
    assert all(check["ms"] >= 0 for check in checks.values())
    mmdb.write_city(tmp_path / "city.mmdb")
    assert client.get("/readyz").json()["checks"]["geo"]["status"] == "ok"


@pytest.mark.django_db
def test_readyz_is_a_503_while_migrations_are_pending(client):
    MigrationRecorder.Migration.objects.filter(app="collect").last().delete()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == {
        "status": "failed",
        "pending": 1,
        "ms": answer.json()["checks"]["migrations"]["ms"],
    }


@pytest.mark.django_db
def test_readyz_is_a_503_while_the_database_is_away(client, monkeypatch):
    class Away:
        vendor = "postgresql"

        def cursor(self):
            raise OperationalError("connection to db.internal refused")

    monkeypatch.setattr(health, "connection", Away())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"]["error"] == "OperationalError"
    assert b"internal" not in answer.content
