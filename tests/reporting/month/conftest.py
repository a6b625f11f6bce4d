"""A spool of the month's own."""

from tests.collect.conftest import own_spool

__all__ = ["own_spool"]
