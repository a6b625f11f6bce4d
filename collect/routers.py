"""Which database a model is in: all are in `default`. The spool has tables of its own, which no model describes."""

from typing import Any


class Router:
    """Keeps migrations out of the spool."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Return False for the spool, which has no migrations. Return None, no opinion, for other databases."""
        return False if db == "spool" else None
