from django.db import migrations

# A summary of each megabyte of the table: which times its events have. It has a few bytes for thousands of
# events, and costs an insert nothing that can be measured (docs/decisions/0015-indexes-of-params.md). `received_at` is
# not in it: the planner would take it for a partner's newest events, of which `event_arrival` reads fewer.
MAKE = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS event_happened ON collect_event USING brin
(timestamp timestamptz_minmax_multi_ops) WITH (autosummarize = on)
"""
# What is left of a migration that was broken off.
BROKEN = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('event_happened') AND NOT indisvalid"


def make(apps, schema_editor):
    """Make the index while events are stored. SQLite has no such index, and reads the table."""
    if schema_editor.connection.vendor != 'postgresql':
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(BROKEN)
        if cursor.fetchone():
            cursor.execute('DROP INDEX CONCURRENTLY event_happened')
        cursor.execute(MAKE)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute('DROP INDEX CONCURRENTLY IF EXISTS event_happened')


class Migration(migrations.Migration):

    # An index that is made beside others' work is made outside of a transaction.
    atomic = False

    dependencies = [
        ('collect', '0011_mark'),
    ]

    operations = [
        migrations.RunPython(make, drop),
    ]
