"""Statements of a snapshot see one moment, whatever others write meanwhile, and keep nobody from writing."""

import threading
from contextlib import suppress

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from collect.models import Mark
from reporting.snapshot import snapshot
from tests.harness import factories
from tests.harness.databases import is_sqlite
from tests.reporting.views.events import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(partner: int) -> None:
    """Write from another connection, and wait for it."""

    def write() -> None:
        Mark.objects.create(partner_id=partner, start=NOON, end=NOON)
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_all_statements_see_what_the_first_one_does() -> None:
    partner = factories.partner("Acme").pk
    with snapshot():
        assert Mark.objects.count() == 0
        elsewhere(partner)
        assert Mark.objects.count() == 0
        with snapshot():
            assert Mark.objects.count() == 0
    assert Mark.objects.count() == 1


def test_the_next_transaction_writes_as_usual() -> None:
    partner = factories.partner("Acme").pk
    for error in (None, ZeroDivisionError):
        with suppress(ZeroDivisionError), snapshot():
            assert Mark.objects.count() == 0
            if error:
                raise error
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            assert Mark.objects.count() == 0
        begun = [query["sql"] for query in queries if query["sql"].startswith("BEGIN")]
        assert begun == ["BEGIN IMMEDIATE" if is_sqlite() else "BEGIN"]
    with transaction.atomic():
        Mark.objects.create(partner_id=partner, start=NOON, end=NOON)
        with snapshot():
            assert Mark.objects.count() == 1
    assert Mark.objects.count() == 1
