"""A circuit breaker: after one failure, later callers fail at once instead of each waiting for the same timeout."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Circuit:
    """Stays open for `seconds` after a failure, or until a caller that saw a success closes it."""

    def __init__(self, name: str, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._seconds = seconds
        self._clock = clock
        self._changing = threading.Lock()
        self._open_until: float | None = None
        # When a success was last noted, by the clock.
        self.closed_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether callers should fail at once instead of trying."""
        until = self._open_until
        return until is not None and self._clock() < until

    def open(self, reason: BaseException) -> None:
        """Note a failure. It is logged once, however many callers see it."""
        with self._changing:
            is_news = self._open_until is None
            self._open_until = self._clock() + self._seconds
        if is_news:
            logger.error("%s does not answer", self._name, exc_info=reason)

    def close(self) -> None:
        """Note a success. It is logged if it ends an outage."""
        with self._changing:
            is_news, self._open_until = self._open_until is not None, None
            self.closed_at = self._clock()
        if is_news:
            logger.warning("%s is back", self._name)
