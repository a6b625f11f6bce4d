"""DATABASE_URL: what is read of it, what it adds to our options, and what is said of a slip."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from tests.harness import databases
from thrad_events import database

BASE = Path("/srv/thrad_events")
SQLITE = {"init_command": "PRAGMA synchronous=FULL;", "timeout": 5}
POSTGRESQL = {"connect_timeout": 3, "prepare_threshold": 1, "options": "-c statement_timeout=5000 -c lock_timeout=4000"}
PLACE = ("USER", "PASSWORD", "HOST", "PORT", "NAME")


def read(url: str) -> dict[str, Any]:
    return database.of_url(url, BASE, SQLITE, POSTGRESQL)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u:p@db:5432/events", "u p db 5432 events"),
        ("postgres://u:p@db/events", "u p db  events"),
        ("POSTGRESQL://u@db/Events", "u  db  Events"),
        ("postgresql://u:p%40%3A%2F%3F%23%25+@db/n", "u p@:/?#%+ db  n"),
        ("postgresql://u:p@ss:w@db/n", "u p@ss:w db  n"),
        ("postgresql://u:p%ss@db/n", "u p%ss db  n"),
        ("postgresql://u:p@[::1]:5432/n", "u p ::1 5432 n"),
        ("postgresql://u:p@a:5432,b:5433/n", "u p a,b 5432,5433 n"),
        ("postgresql://u@%2Fvar%2Frun%2Fpostgresql/n", "u  /var/run/postgresql  n"),
        ("postgresql:////var/run/postgresql/n", "  /var/run/postgresql  n"),
        ("postgresql:///n?host=/run&user=u", "u  /run  n"),
        ("postgresql:///n", "    n"),
        ("postgresql://db:5432/?dbname=n", "  db 5432 n"),
        ("postgresql://u@db/a+b%20c", "u  db  a+b c"),
    ],
)
def test_place_of_postgresql(url: str, place: str) -> None:
    config = read(url)
    assert " ".join(config[name] for name in PLACE) == place
    assert config["ENGINE"] == "runtime.postgresql"
    assert config["OPTIONS"] == POSTGRESQL


def test_service_of_libpq_names_the_database() -> None:
    assert read("postgresql://?service=events")["OPTIONS"]["service"] == "events"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///events.sqlite3", "/srv/thrad_events/events.sqlite3"),
        ("sqlite:////data/events.sqlite3", "/data/events.sqlite3"),
        ("sqlite:////data/a+b/c%23d/e%3Ff/g%20h/100%25", "/data/a+b/c#d/e?f/g h/100%"),
        ("sqlite:////data/50%", "/data/50%"),
        ("sqlite://:memory:", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_file_of_sqlite(url: str, name: str) -> None:
    config = read(url)
    assert (config["NAME"], config["OPTIONS"]) == (name, SQLITE)


@pytest.mark.parametrize(
    ("query", "added"),
    [
        ("sslmode=require", {"sslmode": "require"}),
        ("connect_timeout=10", {"connect_timeout": 10}),
        ("prepare_threshold=0&server_side_binding=false", {"prepare_threshold": 0, "server_side_binding": False}),
        ("options=-c%20search_path%3Dmine", {"options": f"{POSTGRESQL['options']} -c search_path=mine"}),
        ("options=-c+statement_timeout%3D1000", {"options": f"{POSTGRESQL['options']} -c statement_timeout=1000"}),
        ("application_name=events%20one", {"application_name": "events one"}),
    ],
)
def test_options_of_postgresql_add_to_ours(query: str, added: dict[str, Any]) -> None:
    assert read(f"postgresql://u@db/n?{query}")["OPTIONS"] == {**POSTGRESQL, **added}


def test_options_of_sqlite_add_to_ours() -> None:
    options = read("sqlite:////e?timeout=20&init_command=PRAGMA%20cache_size%3D-8000%3B")["OPTIONS"]
    assert options == {"init_command": "PRAGMA synchronous=FULL; PRAGMA cache_size=-8000;", "timeout": 20.0}


def test_options_of_django_stand_beside_those_of_the_driver() -> None:
    config = read("postgresql://u@db/n?conn_max_age=60&CONN_HEALTH_CHECKS=true&sslmode=prefer")
    assert (config["CONN_MAX_AGE"], config["CONN_HEALTH_CHECKS"]) == (60, True)
    assert config["OPTIONS"] == {**POSTGRESQL, "sslmode": "prefer"}


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("nonsense", "is no URL"),
        ("/srv/events.sqlite3", "is no URL"),
        ("postgresql:/events", "is no URL"),
        ("jdbc:postgresql://db/events", "is no URL"),
        ("host=db dbname=events", "is no URL"),
        ("mysql://u:secret@db/events", "begins with mysql://, and the server knows PostgreSQL and SQLite alone"),
        ("postgresql+psycopg://u:secret@db/events", "begins with postgresql+psycopg://"),
        ("sqlite3:///events.sqlite3", "begins with sqlite3://"),
        ("postgresql://u:secret@db:port/events", "has a port that is no number"),
        ("postgresql://u:secret@db:99999/events", "has a port that is no number"),
        ("postgresql://u:secret@db:0/events", "has a port that is no number"),
        ("postgresql://u:sec/ret@db/events", "has a / in front of the last @"),
        ("postgresql://u:12/secret@db/events", "has a / in front of the last @"),
        ("postgresql://u:sec?ret@db/events", "has a port that is no number"),
        ("postgresql://u:sec#ret@db/events", "has a # or a blank"),
        ("postgresql://u:sec ret@db/events", "has a # or a blank"),
        ("postgresql://u:sec[ret@db/events", "cannot be read"),
        ("postgresql://u:secret@db", "names no database"),
        ("postgresql://u:secret@db:5432/", "names no database"),
        ("postgresql://u:12?secret@db/events", "has a ? in front of the last @"),
        ("postgresql://u:?secret@db/events", "has a ? in front of the last @"),
        ("postgresql://u:?secret=ret@db/events", "has a ? in front of the last @"),
        ("postgresql://u:?sslmode=x&secret=1@db/events?sslmode=require", "has"),
        ("postgresql://u:12?secret%40db/events", "has a ? in front of the last @"),
        (
            "postgresql://u:secret@db/events?sslmod=require",
            "has the option 'sslmod', which there is not: is it sslmode?",
        ),
        ("postgresql://u:secret@db/events?sslmode=required", "has an option sslmode that is none of disable, allow"),
        ("postgresql://u:secret@db/events?connect_timeout=3s", "has an option connect_timeout that is no number"),
        ("postgresql://u:secret@db/events?server_side_binding=x", "has an option server_side_binding that is no flag"),
        ("postgresql://u:secret@db/events?prepare_threshold=", "has an option prepare_threshold that is no number"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite://events.sqlite3", "names no file"),
        ("sqlite:////srv/var/", "names no file"),
        ("sqlite:////srv/c#/events.sqlite3", "has a # or a blank"),
        ("sqlite:////srv/e?transaction_mode=LATE", "has an option transaction_mode that is none of DEFERRED"),
        ("sqlite:////srv/e?sslmode=require", "has the option 'sslmode', which there is not"),
    ],
)
def test_slip_is_named_and_nothing_secret_shown(url: str, fault: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        read(url)
    told = str(raised.value)
    assert told.startswith(f"DATABASE_URL {fault}")
    assert "Write postgresql://USER:PASSWORD@HOST:5432/NAME, or sqlite:///PATH." in told
    assert not re.findall(r"(?i)\b(secret|sec|ret)\b", told)


def test_at_sign_in_the_value_of_an_option_is_part_of_it() -> None:
    config = read("postgresql://db/n?user=u@example.com&password=p@ss")
    assert (config["USER"], config["PASSWORD"]) == ("u@example.com", "p@ss")


@pytest.mark.django_db
def test_options_of_the_url_and_ours_reach_the_database() -> None:
    """The user's own value of what ours say too wins, and all the rest of ours stays."""
    query = "init_command=PRAGMA+cache_size%3D-1234" if databases.is_sqlite() else "options=-c+lock_timeout%3D1234"
    config = database.of_url(
        f"{databases.current_url()}?{query}", BASE, settings.SQLITE_OPTIONS, settings.POSTGRES_OPTIONS
    )
    backend = import_module(f"{config['ENGINE']}.base").DatabaseWrapper
    connection = backend({**connections["default"].settings_dict, **config}, "of this test")
    asked = ("PRAGMA cache_size", "PRAGMA synchronous")
    if not databases.is_sqlite():
        asked = ("SHOW lock_timeout", "SHOW statement_timeout")
    with connection.cursor() as cursor:
        found = [cursor.execute(statement).fetchone()[0] for statement in asked]
    connection.close()
    assert found == ([-1234, 2] if databases.is_sqlite() else ["1234ms", "5s"])


def busy_timeout(config: dict[str, Any]) -> int:
    wrapper = import_module(f"{config['ENGINE']}.base").DatabaseWrapper
    connection = wrapper({**connections["spool"].settings_dict, **config}, "of this test")
    with connection.cursor() as cursor:
        found = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.close()
    return int(found)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "milliseconds"),
    [
        ("", 5000),
        ("?timeout=20", 20_000),
        ("?timeout=0.5", 500),
        ("?init_command=PRAGMA+busy_timeout%3D7000", 7000),
        ("?timeout=20&transaction_mode=DEFERRED", 20_000),
    ],
)
def test_time_that_sqlite_waits_for_a_lock_is_that_of_the_url(tmp_path: Path, query: str, milliseconds: int) -> None:
    config = database.of_url(
        f"sqlite:////{tmp_path}/e.sqlite3{query}", BASE, settings.SQLITE_OPTIONS, settings.POSTGRES_OPTIONS
    )
    assert busy_timeout(config) == milliseconds


@pytest.mark.django_db
def test_spool_waits_for_a_lock_as_long_as_a_database_does(tmp_path: Path) -> None:
    assert busy_timeout(database.sqlite(tmp_path / "s.sqlite3", settings.DATABASES["spool"]["OPTIONS"])) == 5000
