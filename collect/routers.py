"""Which database a model lives in: all in `default`. The spool has a table of its own, which no model describes."""

from typing import Any


class Router:
    """Keeps migrations out of the spool."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Nothing is migrated in the spool; elsewhere it is not for this router to say."""
        return False if db == "spool" else None
