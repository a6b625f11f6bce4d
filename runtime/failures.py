"""What a failure of the database means, by the SQLSTATE that PostgreSQL gives.

Source of the classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from collections.abc import Callable
from typing import TypeVar

from django.db import DataError, Error, IntegrityError, InterfaceError, OperationalError, connection

Result = TypeVar("Result")

# A connection that failed, and a server that stops or starts.
_LOST = ("08", "57P")
# The server answers, but writes nothing, whatever it is given: it is read-only, out of space, memory or connections, a
# lock or the answer did not come in time, or its system fails.
_WRITES_NOTHING = ("25006", "53", "55P03", "57", "58")
# The transaction was rolled back for the sake of another one, as in a deadlock.
_ROLLED_BACK = "40"
# A limit of PostgreSQL, such as the length of an index entry; psycopg raises OperationalError for it.
_LIMIT = "54"
# A constraint or an exclusion of the operator's, a partition that is missing: with the same values the row may be taken
# tomorrow.
_OF_OTHERS = ("23514", "23P01")


def again_if_cut(call: Callable[[], Result]) -> Result:
    """Return what `call` returns. Call it once more, on a new connection, if one that was open has broken under it.

    That is how a restart of the database is noticed. Raises what `call` does.
    """
    try:
        return call()
    except Error:
        broken = connection.connection
        if connection.in_atomic_block or broken is None or not getattr(broken, "closed", False):
            raise
        connection.close()
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


def is_rolled_back(error: Error) -> bool:
    """Tell whether the same statement may succeed if it is simply sent again."""
    return _sqlstate(error).startswith(_ROLLED_BACK)


def is_poison(error: Error) -> bool:
    """Tell whether the database refuses the row for its values, so that trying again cannot help."""
    if isinstance(error, DataError | IntegrityError):
        return not _sqlstate(error).startswith(_OF_OTHERS)
    return _sqlstate(error).startswith(_LIMIT) or "malformed JSON" in str(error)


def reason(error: Error) -> str:
    """Return what the database says, without the details, in which PostgreSQL shows the whole row."""
    return str(error).partition("\n")[0]


def _sqlstate(error: Error) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""
