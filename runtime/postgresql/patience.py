"""Lets the statements of one transaction take longer than those that a sender or a page waits for."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.conf import settings
from django.db import connection

from runtime.postgresql.base import GRACE_SECONDS


@contextmanager
def patient(seconds: int) -> Iterator[None]:
    """Let each statement of the open transaction take so long. Only PostgreSQL bounds statements.

    Raises `django.db.Error`.
    """
    if connection.vendor != "postgresql" or not settings.STATEMENT_SECONDS:
        yield
        return
    with connection.cursor() as cursor:
        # LOCAL: the end of the transaction takes it back.
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(seconds * 1000)])
    driver = connection.connection
    bounded = driver.wait
    driver.wait = partial(type(driver).wait, driver, timeout=seconds + GRACE_SECONDS)
    try:
        yield
    finally:
        driver.wait = bounded
