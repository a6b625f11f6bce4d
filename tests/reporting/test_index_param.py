"""`manage.py index_param`: makes, lists and drops; says what it runs, and what was wrong."""

import json
import re

import pytest
from django.core.management import CommandError
from django.db import DatabaseError, connection

from collect.models import Event
from collect.params import upkeep
from tests.harness import databases
from tests.harness.commands import run

# An index is made outside of a transaction.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_index_left(transactional_db: None) -> None:
    for index in upkeep.listed():
        upkeep.run(upkeep.dropping(index.key))


def test_index_is_made_listed_and_dropped() -> None:
    assert run("index_param", "--list")[0] == "No key of params has an index.\n"
    said, _ = run("index_param", "value")
    assert f"CREATE INDEX {'' if databases.is_sqlite() else 'CONCURRENTLY '}event_param_" in said
    assert re.search(r"The index of 'value' is made: event_param_[0-9a-f]{16}, (-|\d+ (bytes|kB))\.\n$", said)
    table, _ = run("index_param", "--list")
    (heading, line) = table.splitlines()
    assert heading.split() == ["index", "size", "scans", "key"]
    assert line.startswith(upkeep.name_of("value"))
    assert line.endswith("  value")
    assert Event.objects.where_param("value", gte=50).count() == 0
    said, _ = run("index_param", "value", "--drop")
    assert said.endswith("The index of 'value' is dropped.\n")
    assert upkeep.listed() == []
    # Whatever else was made for it is gone, too.
    run("index_param", "value")
    run("index_param", "value", "--drop")


def test_dry_run_shows_the_statements_and_does_nothing() -> None:
    said, _ = run("index_param", "value", "--dry-run")
    assert said == "".join(f"{statement};\n" for statement in upkeep.making("value"))
    assert upkeep.listed() == []
    run("index_param", "value")
    said, _ = run("index_param", "value", "--drop", "--dry-run")
    assert said == "".join(f"{statement};\n" for statement in upkeep.dropping("value"))
    assert [index.key for index in upkeep.listed()] == ["value"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "KEY: name one key of params, or give --list alone"),
        (("value", "--list"), "KEY: name one key of params, or give --list alone"),
        (("value", "--drop"), "KEY: 'value' has no index; --list shows those that there are"),
        (("a\0b",), "KEY: no event has U+0000"),
    ],
)
def test_wrong_options_are_named(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError) as caught:
        run("index_param", *arguments)
    assert str(caught.value).startswith(said)


def test_second_index_of_a_key_is_refused() -> None:
    run("index_param", "value")
    with pytest.raises(CommandError, match="KEY: 'value' has an index already, event_param_"):
        run("index_param", "value")


def test_key_that_sqlite_cannot_find_surely_is_refused() -> None:
    if databases.is_sqlite():
        with pytest.raises(CommandError, match="KEY: on SQLite an index is for keys of A-Z, a-z, 0-9, _, - and blanks"):
            run("index_param", "a.b")
    else:
        run("index_param", "a.b")
        assert [index.key for index in upkeep.listed()] == ["a.b"]


def test_key_of_a_sender_is_harmless_on_a_terminal() -> None:
    key = "a\x1b[31m" if not databases.is_sqlite() else "plain"
    run("index_param", key)
    assert "\x1b" not in run("index_param", "--list")[0]
    assert "\x1b" not in run("index_param", key, "--drop")[0]


@pytest.mark.postgresql
def test_build_that_was_broken_off_is_told_and_made_anew() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO keys_partner (name, created_at) VALUES ('Acme', now()) RETURNING id")
        (partner,) = cursor.fetchone() or (None,)
        cursor.execute(
            "INSERT INTO collect_event (id, received_at, timestamp, partner_id, channel, is_test, event_name, tag_id, "
            "params, extra) VALUES (gen_random_uuid(), now(), now(), %s, 'server', false, 'custom', 't', %s, '{}')",
            [partner, json.dumps({"value": 0})],
        )
        name = upkeep.name_of("value")
        with pytest.raises(DatabaseError, match="division by zero"):
            cursor.execute(
                f"CREATE INDEX CONCURRENTLY {name} ON collect_event ((1 / (params ->> 'value')::int)) "
                "WHERE (params -> 'value') IS NOT NULL"
            )
    assert "value  (broken off: drop it, or make it anew)" in run("index_param", "--list")[0]
    run("index_param", "value")
    (index,) = upkeep.listed()
    assert index.is_whole
