"""No page reads more rows than it has to, however many events there are: asserted on plans, not on times."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from collect.models import Event, RejectionGroup
from collect.storage.ledger import entries
from collect.storage.ledger.tally import Amount, Entry
from keys.models import ApiKey
from reporting import conservation
from runtime.refusals import Code, Refusal
from tests.harness import factories, plans

pytestmark = pytest.mark.django_db(databases=["default", "spool"])

# More than a query may read: the counts of a day, or the rows in which Live looks for a rare name, each by a bitmap
# and then from the table. The bounds of the overview are lowered below that.
EVENTS, ROWS, BOUND = 60_000, 55_000, 2_000
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
