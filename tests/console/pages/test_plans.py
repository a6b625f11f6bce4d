"""No page reads more rows than it has to, however many events there are: asserted on plans, not on times."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from collect.models import Event, RejectionGroup
from collect.storage.ledger import entries
from collect.storage.ledger.tally import Amount, Entry
from collect.storage.marks import beginning
from keys.models import ApiKey
from reporting import conservation
from reporting.models import Cell, Progress, Summary
from runtime.refusals import Code, Refusal
from tests.harness import factories, plans

pytestmark = pytest.mark.django_db(databases=["default", "spool"])

# More than a query may read: the counts of a day, or the rows in which Live looks for a rare name, each by a bitmap
# and then from the table. The bounds of the overview are lowered below that.
EVENTS, ROWS, BOUND = 60_000, 55_000, 2_000
# Buckets, and as many summaries, of a time that no page asks for: more than `plans.ROWS`.
COUNTS = 20_000
PAGES = (
    *("/admin/", "/admin/ledger/", "/admin/ledger/?range=7d&kind=all", "/admin/ledger/?partner={partner}"),
    *("/admin/live/", "/admin/live/?range=24h", "/admin/live/?partner={partner}&name=rare"),
    *("/admin/live/?kind=live&range=24h", "/admin/live/?kind=test&range=24h&outcome=rejected"),
    *("/admin/live/?range=24h&currency=EUR", "/admin/live/?kind=live&partner={partner}&range=24h"),
    *("/admin/find/?q=many-7", "/admin/reports/", "/admin/reports/daily/", "/admin/reports/late/"),
    *("/admin/rejections/", "/admin/rejections/{group}/", "/admin/rejections/{group}/mend/"),
    *("/admin/partners/", "/admin/partners/{partner}/"),
    *("/admin/collect/event/", "/admin/collect/event/{event}/change/", "/admin/collect/rejection/"),
    *("/admin/keys/apikey/", "/admin/keys/apikey/{key}/change/", "/admin/keys/apikey/{key}/revoke/"),
    *("/admin/keys/keychange/", "/admin/keys/partner/"),
)


@pytest.fixture
def key() -> ApiKey:
    """A key with very many events of a minute, counts of a day, and a rejection."""
    key = factories.key()[0]
    now = datetime.now(UTC)
    this_minute = now.replace(second=0, microsecond=0)
    many = this_minute - timedelta(hours=2)
    plans.fill(key, EVENTS, newest=many + timedelta(minutes=1))
    minutes = (this_minute - timedelta(minutes=n) for n in range(1_440))
    counted = {
        Entry(minute, key.partner_id, key.pk, False, "collect", outcome): Amount(7, 7, 700)
        for minute in minutes
        for outcome in ("received", "stored")
    }
    entries.add(counted)
    entries.add({Entry(many, key.partner_id, key.pk, False, "collect", "stored"): Amount(EVENTS)})
    factories.reject(Refusal(Code.INVALID_JSON, "no"), factories.source(key), b"{")
    return key


@pytest.mark.parametrize("address", PAGES)
def test_page_reads_what_it_shows(console: Client, key: ApiKey, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conservation, "MAX_ROWS", BOUND)
    cache.clear()
    event = Event.objects.order_by("-pk")[0].pk
    named = {"partner": key.partner_id, "key": key.pk, "event": event, "group": RejectionGroup.objects.get().pk}
    with plans.captured() as queries:
        assert console.get(address.format(**named)).status_code == 200
    plans.assert_bounded(queries, ROWS)


def test_page_reads_the_counts_of_its_range_alone(console: Client) -> None:
    key, now = factories.key()[0], datetime.now(UTC)
    old, this = beginning(now) - timedelta(days=60), beginning(now)
    same: dict[str, Any] = {"partner_id": key.partner_id, "is_test": False, "events": 1}
    for at, number in ((old, COUNTS), (this, 5)):
        times = {"arrived": at, "quarter": at}
        cells = (
            Cell(**same, **times, tag_id=f"{n}", event_name="a", channel="server", clients=b"", pruned=0)
            for n in range(number)
        )
        Cell.objects.bulk_create(cells, 2_000)
        summaries = (
            Summary(**same, **times, dimension=name, member=f"{n}" if name else None, pruned=0)
            for n in range(number) for name in ("", *(("tag_id",) if n % 2 else ("country",)))
        )  # fmt: skip
        Summary.objects.bulk_create(summaries, 2_000)
    Progress.objects.create(pk=1, until=now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for address in ("", "reports/daily/", "reports/daily/?clients=no", "reports/daily/?clients=no&by=tag"):
        with plans.captured() as queries:
            page = console.get(f"/admin/{address}")
        assert page.status_code == 200
        assert "reporting_" in "".join(query.sql for query in queries)
        plans.assert_bounded(queries)
