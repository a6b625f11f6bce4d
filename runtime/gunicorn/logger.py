"""Gunicorn's own log lines in the form of the application's."""

import logging
import re
from typing import Any, ClassVar

from gunicorn.glogging import Logger

from runtime.logs import JsonFormatter


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Writes JSON lines. A subclass names the `secret` that no line may show.

    Gunicorn's setting `logconfig_dict` would do the same, but puts together an access line for every request, whether
    it is logged or not.
    """

    secret: ClassVar[re.Pattern[str]]

    def setup(self, cfg: Any) -> None:
        """Set the formatter; called at the start, and again when the configuration is read again."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter(self.secret))
        # Gunicorn warns of every HEAD that Django answers, whose body it then leaves out as it should.
        logging.getLogger("gunicorn.http.wsgi").setLevel(logging.ERROR)
