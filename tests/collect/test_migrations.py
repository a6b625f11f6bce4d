"""Migrations of events: there may be a hundred million, and senders are answered meanwhile."""

import re
from io import StringIO

import pytest
from django.core.management import call_command


@pytest.mark.django_db(transaction=True)  # SQLite alters no table within a transaction
def test_new_column_of_events_is_one_change_of_the_catalogue() -> None:
    """Neither database writes a row again for a column that may be null and has no default."""
    out = StringIO()
    call_command("sqlmigrate", "collect", "0004", stdout=out)
    statements = [line for line in out.getvalue().splitlines() if not re.match(r"--|BEGIN|COMMIT", line)]
    assert statements == ['ALTER TABLE "collect_event" ADD COLUMN "ua_bot_reason" varchar(16) NULL;']
