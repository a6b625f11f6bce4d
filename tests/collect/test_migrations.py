"""Migrations of events: there may be a hundred million, and senders are answered meanwhile."""

import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection


@pytest.mark.django_db(transaction=True)  # SQLite alters no table within a transaction
def test_new_column_of_events_is_one_change_of_the_catalogue() -> None:
    """Neither database writes a row again for a column that may be null and has no default."""
    out = StringIO()
    call_command("sqlmigrate", "collect", "0004", stdout=out)
    statements = [line for line in out.getvalue().splitlines() if not re.match(r"--|BEGIN|COMMIT", line)]
    assert statements == ['ALTER TABLE "collect_event" ADD COLUMN "ua_bot_reason" varchar(16) NULL;']


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql
def test_index_of_event_times_is_made_beside_others_work_and_again_where_it_was_broken_off() -> None:
    call_command("migrate", "collect", "0011", verbosity=0)
    with connection.cursor() as cursor:
        # What is left of a build that was broken off.
        cursor.execute("CREATE INDEX event_happened ON collect_event (is_test)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'event_happened'::regclass")
        # Also what builds on it elsewhere, for the tests behind this one.
        call_command("migrate", verbosity=0)
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'event_happened'")
        assert "USING brin" in (cursor.fetchone() or [""])[0]
