"""The settings of PostgreSQL that docs/operations.md asks for: they are there, and take what the page says."""

import re

import psycopg

from tests.e2e.deployment.samples import OPERATIONS
from tests.harness.postgres import Postgres

ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \| (.*?) \|", re.MULTILINE)


def test_settings_exist_and_take_the_values() -> None:
    table = OPERATIONS.read_text().partition("These settings matter:")[2].partition("\n\n**")[0]
    asked: dict[str, str | None] = {}
    for names, values in ROW.findall(table):
        found = re.findall(r"`(\w+)`", names)
        told = re.findall(r"`(\w+)`", values)
        # One value for all of them, one for each, or words.
        asked |= dict(zip(found, told * len(found) if len(told) == 1 else told or [None] * len(found), strict=True))
    assert {"fsync", "max_wal_size", "wal_compression", "max_connections"} <= set(asked)
    with Postgres() as server, psycopg.connect(server.url()) as connection:
        there = {
            name: (level, values)
            for name, level, values in connection.execute(
                "SELECT name, setting, enumvals FROM pg_settings WHERE name = ANY(%s)", [list(asked)]
            )
        }
        is_old = connection.info.server_version < 150000
    assert set(there) == set(asked)
    if is_old:
        del asked["wal_compression"]
    with Postgres({name: value for name, value in asked.items() if value}) as server:
        assert server.is_running
