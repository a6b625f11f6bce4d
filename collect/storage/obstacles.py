"""What in the database itself may refuse or change events that the contract accepts, as a connection really has it."""

from collections.abc import Iterator

from django.db import connection

from collect.models import Event

# What the server's role has to be allowed with events.
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
# PostgreSQL's settings, and the value with which every event can be written. With a higher isolation, statements that
# meet are rolled back; as a replica, no trigger checks that the partner of an event exists.
_NEEDED = {
    "server_encoding": "UTF8",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "session_replication_role": "origin",
}


def problems() -> list[str]:
    """Return a sentence for each setting and object that may refuse or change an event; none without a table.

    Raises `django.db.Error`.
    """
    return list(_postgresql() if connection.vendor == "postgresql" else _sqlite())


def _postgresql() -> Iterator[str]:
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY name", [list(_NEEDED)])
        for name, setting in cursor.fetchall():
            if setting != _NEEDED[name]:
                yield f"{name} is {setting} in PostgreSQL, not {_NEEDED[name]}"
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE NOT has_table_privilege(to_regclass(%s)::oid, name)",
            [list(_RIGHTS), table],
        )
        for (name,) in cursor.fetchall():
            yield f"the server's role has no right to {name} on the table {table}"
        cursor.execute("SELECT row_security_active(to_regclass(%s)::oid)", [table])
        if cursor.fetchone()[0]:
            yield f"row-level security applies to the table {table}"
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal AND tgenabled <> 'D' "
            "UNION ALL SELECT rulename FROM pg_rules WHERE tablename = %s AND schemaname = current_schema ORDER BY 1",
            [table, table],
        )
        for (name,) in cursor.fetchall():
            yield f"the trigger or rule {name} on the table {table} may refuse or change events"


def _sqlite() -> Iterator[str]:
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = %s ORDER BY name", [table])
        for (name,) in cursor.fetchall():
            yield f"the trigger {name} on the table {table} may refuse or change events"
