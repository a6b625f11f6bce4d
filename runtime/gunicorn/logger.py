"""Gunicorn's own log lines, in the same JSON form as the application's."""

import logging
import re
from typing import Any, ClassVar

from gunicorn.glogging import Logger

from runtime.logs import JsonFormatter


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Writes JSON lines. A subclass sets `secret`, the pattern of what no line may show.

    Gunicorn's setting `logconfig_dict` would do the same, but would format an access line for every request, whether
    it is logged or not.
    """

    secret: ClassVar[re.Pattern[str]]

    def setup(self, cfg: Any) -> None:
        """Set the formatter. Gunicorn calls this at the start and whenever it reads the configuration again."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter(self.secret))
        # Gunicorn would warn of every HEAD request: Django's answer has a body, which gunicorn rightly leaves out.
        logging.getLogger("gunicorn.http.wsgi").setLevel(logging.ERROR)
