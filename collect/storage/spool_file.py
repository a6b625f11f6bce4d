"""The file of the spool: its journal, its bound, its tables, and who may read it, set up on every connection."""

import os
import time
from contextlib import suppress

from django.conf import settings
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.backends.utils import CursorWrapper
from django.dispatch import receiver

ALIAS = "spool"
PAGE_BYTES = 4096

_COLUMNS = "received_at TEXT NOT NULL, request_id TEXT NOT NULL, document BLOB NOT NULL, body BLOB NOT NULL"
_TABLES = (
    f"CREATE TABLE IF NOT EXISTS spooled (id INTEGER PRIMARY KEY AUTOINCREMENT, {_COLUMNS})",
    f"CREATE TABLE IF NOT EXISTS set_aside (id INTEGER PRIMARY KEY, {_COLUMNS}, reason TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS kept_keys (id INTEGER PRIMARY KEY CHECK (id = 1), document BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS counts (id TEXT PRIMARY KEY, document BLOB NOT NULL)",
)

# How often a file is tried that another process sets up, and the pause: five seconds, as long as SQLite waits itself.
_TRIES, _PAUSE_SECONDS = 100, 0.05


@receiver(connection_created)
def _equip(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Set the size limit and make the tables on each new connection, so that even a new file has them."""
    if connection.alias != ALIAS:
        return
    try:
        _set_up(connection)
    except BaseException:
        # Django keeps a connection that was opened, and would never set this one up again.
        connection.close()
        raise


def _set_up(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        _hide(cursor)
        _log_ahead(cursor)
        # Before the limit: a file of an older version, which is full, may lack a table.
        for table in _TABLES:
            cursor.execute(table)
        # SQLite itself keeps the limit: a full spool refuses the commit.
        cursor.execute(f"PRAGMA max_page_count={settings.SPOOL_MAX_BYTES // PAGE_BYTES}")
        # An event that has left the spool leaves no bytes in the file.
        cursor.execute("PRAGMA secure_delete=ON")


def _hide(cursor: CursorWrapper) -> None:
    """Let only the user of the server read a new file, and with it the log that SQLite makes beside it.

    The rights of a file that has tables are left as somebody may have set them.
    """
    cursor.execute("SELECT schema_version, file FROM pragma_schema_version, pragma_database_list WHERE name = 'main'")
    version, file = cursor.fetchone()
    if version == 0 and file:
        with suppress(OSError):
            os.chmod(file, 0o600)


def _log_ahead(cursor: CursorWrapper) -> None:
    """Set the journal of the file to WAL, which it then stays.

    Of two processes that do so at the same moment, SQLite refuses one at once, without its busy timeout: as when the
    database goes away before anything was spooled. Raises OperationalError where the file stays locked.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except OperationalError as error:
            if attempt == _TRIES or "locked" not in str(error):
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
