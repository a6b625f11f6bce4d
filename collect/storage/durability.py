"""Whether the database keeps what it commits: the settings that decide it, as a connection really has them."""

from django.db import connection

# PostgreSQL's settings. With any value but `off`, a commit waits for the server's own disk.
_SETTINGS = ["fsync", "full_page_writes", "synchronous_commit"]


def problems() -> list[str]:
    """Return a sentence for each setting that may lose an acknowledged event. Raises `django.db.Error`."""
    return _postgresql() if connection.vendor == "postgresql" else _sqlite()


def _postgresql() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [_SETTINGS])
        return sorted(f"{name} is off in PostgreSQL" for name, setting in cursor.fetchall() if setting == "off")


def _sqlite() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        (level,) = cursor.fetchone()
    return [f"PRAGMA synchronous is {level} in SQLite, below FULL"] if level < 2 else []
