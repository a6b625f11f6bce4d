"""Log lines as JSON objects, each with the id of the request that it belongs to. None may show a key or a body."""

import logging
import re
from contextvars import ContextVar
from typing import Any

from pythonjsonlogger.json import JsonFormatter as BaseJsonFormatter

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonFormatter(BaseJsonFormatter):
    """Writes the time, level, logger, message and request id of a record, and whatever the call gave as `extra`.

    `secret` matches what no line may show, wherever a sender put it; only its first group stays in the line.
    """

    def __init__(self, secret: re.Pattern[str]) -> None:
        self._secret = secret
        super().__init__(
            "{levelname}{name}{message}",
            style="{",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, with every secret removed."""
        return self._secret.sub(r"\1_[removed]", super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's name
        """Return the traceback, with one line of what PostgreSQL says: in those behind it is the whole row."""
        text, error = str(super().formatException(ei)), ei[1]
        while error is not None:
            # psycopg's, whose text Django's error repeats. Its class is not imported: the master of gunicorn logs too.
            if hasattr(error, "sqlstate"):
                text = text.replace(str(error), str(error).partition("\n")[0])
            error = error.__cause__ or error.__context__
        return text

    def process_log_record(self, log_data: dict[str, object]) -> dict[str, object]:
        """Add the request's id if a request is being served, and leave out the request itself."""
        if (current := request_id.get()) is not None:
            log_data.setdefault("request_id", current)
        # Django hands the request object to some of its lines; its repr could carry a query string.
        log_data.pop("request", None)
        return log_data


logger = logging.getLogger("thrad_events")
