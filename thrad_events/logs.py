"""One JSON object a log line, with the id of the request that it belongs to; never a key, never a body."""

import logging
import re
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter as BaseJsonFormatter

# A key that a sender put where it does not belong, such as a path; its public prefix stays, to find it by.
_RAW_KEY = re.compile(r"(thrad_(?:live|test)_[0-9A-Za-z]{12})_[0-9A-Za-z]+")

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonFormatter(BaseJsonFormatter):
    """Timestamp, level, logger, message, request id, and whatever the call gave as `extra`."""

    def __init__(self) -> None:
        super().__init__(
            "{levelname}{name}{message}",
            style="{",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )

    def format(self, record: logging.LogRecord) -> str:
        """The line, without the secret of any key, wherever in it one stands."""
        return _RAW_KEY.sub(r"\1_[removed]", super().format(record))

    def process_log_record(self, log_data: dict[str, object]) -> dict[str, object]:
        """Add the request's id where a request is being served."""
        if (current := request_id.get()) is not None:
            log_data.setdefault("request_id", current)
        # Django hands the request object to some of its lines; its repr could carry a query string.
        log_data.pop("request", None)
        return log_data


logger = logging.getLogger("thrad_events")
