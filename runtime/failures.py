"""What a failure of the database means, by the SQLSTATE that PostgreSQL gives, and how it is told to people.

Source of the classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.conf import settings
from django.db import DataError, Error, IntegrityError, InterfaceError, OperationalError, connection

Result = TypeVar("Result")

# A connection that failed, and a server that stops or starts.
_LOST = ("08", "57P")
# The server answers, but writes nothing, whatever it is given: it is read-only, out of space, memory or connections, a
# lock or the answer did not come in time, or its system fails.
_WRITES_NOTHING = ("25006", "53", "55P03", "57", "58")
# `statement_timeout` ended the statement.
_TIMED_OUT = "57014"
# The transaction was rolled back for the sake of another one, as in a deadlock.
_ROLLED_BACK = "40"
# How often what was rolled back so is tried.
_TRIES = 3
# A limit of PostgreSQL, such as the length of an index entry; psycopg raises OperationalError for it.
_LIMIT = "54"
# A constraint or an exclusion of the operator's, a partition that is missing: with the same values the row may be taken
# tomorrow.
_OF_OTHERS = ("23514", "23P01")
# A table, a column, or the schema for them that is not there.
_NO_TABLES = ("42P01", "42703", "3F000")
_FORBIDDEN = "42501"


def again_if_cut(call: Callable[[], Result]) -> Result:
    """Return what `call` returns. Call it once more, on a new connection, if one that was open has broken under it.

    That is how a restart of the database is noticed. Raises what `call` does.
    """
    before = connection.connection
    try:
        return call()
    except Error:
        # Where a transaction cannot even be rolled back, Django has a new connection by now.
        is_cut = any(getattr(one, "closed", False) for one in (before, connection.connection))
        if connection.in_atomic_block or not is_cut:
            raise
        connection.close()
    return call()


def again_if_rolled_back(call: Callable[[], Result]) -> Result:
    """Return what `call` returns. Call it `_TRIES` times if the database rolls it back for another transaction's sake.

    A transaction that the caller has begun is lost with the statement, so that it is not tried again. Raises what
    `call` does.
    """
    for _ in range(_TRIES - 1):
        try:
            return call()
        except Error as error:
            if not is_rolled_back(error) or connection.in_atomic_block:
                raise
    return call()


def is_lost(error: Error) -> bool:
    """Tell whether the database could not be reached. Return False if it answered with an error."""
    sqlstate = _sqlstate(error)
    if sqlstate:
        return sqlstate.startswith(_LOST)
    return isinstance(error, OperationalError | InterfaceError) and not is_poison(error)


def is_away(error: Error) -> bool:
    """Tell whether the database can take no event at all. Return False if another event may well be taken."""
    return is_lost(error) or _sqlstate(error).startswith(_WRITES_NOTHING)


def is_timed_out(error: Error) -> bool:
    """Tell whether the statement took longer than it may."""
    return _sqlstate(error) == _TIMED_OUT


def is_rolled_back(error: Error) -> bool:
    """Tell whether the same statement may succeed if it is simply sent again."""
    return _sqlstate(error).startswith(_ROLLED_BACK)


def is_poison(error: Error) -> bool:
    """Tell whether the database refuses the row for its values, so that trying again cannot help."""
    if isinstance(error, DataError | IntegrityError):
        return not _sqlstate(error).startswith(_OF_OTHERS)
    return _sqlstate(error).startswith(_LIMIT) or "malformed JSON" in str(error)


def reason(error: BaseException) -> str:
    """Return what the database says, without the details, in which PostgreSQL shows the whole row."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _sqlstate(error: Error) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def in_words(error: Error) -> str | None:
    """Return two lines for the person who ran a command: what failed, and what to do.

    None if it is no fault of the database's or the settings', as far as can be told.
    """
    first = _first(error)
    said = reason(first)
    place, name = _place(first)
    sqlstate = getattr(first, "sqlstate", None) or ""
    if sqlstate in _NO_TABLES or said.startswith(("no such table", "no such column")):
        return f"The database {place} lacks tables or columns: {said}\nRun `manage.py migrate`; is {name} right?"
    if sqlstate == _FORBIDDEN:
        return f"The database {place} forbids it: {said}\nGrant the rights that docs/operations.md has."
    if said == "database is locked":
        return f"The database {place} cannot be used: {said}\nAnother process writes to it; run the command again."
    if not isinstance(error, OperationalError | InterfaceError) or _is_bad_sql(first):
        return None
    running = "" if isinstance(first, sqlite3.Error) else "it running, and "
    return f"The database {place} cannot be used: {said}\nIs {running}{name} right?"


def _is_bad_sql(error: BaseException) -> bool:
    """Tell whether SQLite could not read a statement, which it says by the same class as that it has no file."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def _first(error: BaseException) -> BaseException:
    """Return the error of the driver that led to this one."""
    cause = error.__cause__ or error.__context__
    return _first(cause) if isinstance(cause, Error | psycopg.Error | sqlite3.Error) else error


def _place(error: BaseException) -> tuple[str, str]:
    """Return the database that the error is of, without its password, and the name of the setting that says where."""
    database = settings.DATABASES["default"]
    if isinstance(error, sqlite3.Error) and "sqlite" not in database["ENGINE"]:
        return settings.SPOOL_PATH, "SPOOL_PATH"
    place = f"{database['NAME']} at {database['HOST']}" if database.get("HOST") else str(database["NAME"])
    return place, "DATABASE_URL" if settings.DATABASE_URL else "VAR_DIR"
