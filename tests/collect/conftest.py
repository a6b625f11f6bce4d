"""What the tests of the collector share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django import Settings


@pytest.fixture
def own_spool(tmp_path: Path, settings: Settings) -> Iterator[None]:
    """An empty spool, whose lock lies beside it."""
    settings.SPOOL_PATH = str(tmp_path / "spool.sqlite3")
    yield
    with connections["spool"].cursor() as cursor:
        cursor.execute("DELETE FROM spooled")
        cursor.execute("DELETE FROM set_aside")
