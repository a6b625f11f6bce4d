"""A circuit breaker: after one failure, later callers fail at once instead of each waiting for the same timeout."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Circuit:
    """Open after a failure for `seconds`, or until somebody who saw it work closes it."""

    def __init__(self, name: str, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._seconds = seconds
        self._clock = clock
        self._changing = threading.Lock()
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether to leave it alone."""
        until = self._open_until
        return until is not None and self._clock() < until

    def open(self, reason: BaseException) -> None:
        """Note that it failed. The log says so once, however many callers see it."""
        with self._changing:
            is_news = self._open_until is None
            self._open_until = self._clock() + self._seconds
        if is_news:
            logger.error("%s does not answer", self._name, exc_info=reason)

    def close(self) -> None:
        """Note that it works."""
        with self._changing:
            is_news, self._open_until = self._open_until is not None, None
        if is_news:
            logger.warning("%s is back", self._name)
