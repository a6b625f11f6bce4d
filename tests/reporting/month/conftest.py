"""A spool of the month's own."""

import pytest

from collect.storage import spool
from tests.collect.conftest import own_spool

__all__ = ["own_spool"]


@pytest.fixture
def spooling(own_spool: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool that is used with SQLite, too."""
    monkeypatch.setattr(spool, "is_enabled", lambda: True)
