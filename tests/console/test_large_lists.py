"""Lists of tables that may have a hundred million rows: what would read them all is bounded, and the page stays."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.messages.storage.fallback import FallbackStorage
from django.db import DatabaseError, OperationalError, connection
from django.db.models import CharField, Func, QuerySet, Value
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from collect.models import Event, Rejection
from collect.storage import store
from console.admin.events import EventAdmin
from console.admin.pages import Page
from console.admin.rejections import RejectionAdmin
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.harness import databases, factories

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = "/admin/collect/event/"


@pytest.fixture
def events(db: None) -> list[str]:
    """Six events, oldest first; the first four are `custom`, the last two orders."""
    key, _ = factories.issue()
    factories.partner("Beta")  # a filter with one choice is not shown
    names = ["custom"] * 4 + ["order_created"] * 2
    # A millisecond apart: within one, the order of ids is left to chance.
    moments = [datetime.now(UTC) - timedelta(milliseconds=len(names) - number) for number in range(len(names))]
    return [
        store.write([factories.arrival(factories.source(key, received_at=moment), event_name=name)])[0].id
        for name, moment in zip(names, moments, strict=True)
    ]


def show(page: Page, user: User, query: str = "") -> str:
    """The list as this page shows it, at an address with this query."""
    request = RequestFactory().get(f"/admin/?{query}")
    request.user, request.session = user, {}  # type: ignore[assignment]  # no more of a session is needed
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    response = cast(TemplateResponse, page.changelist_view(request))
    assert response.status_code == 200
    return str(response.render().content.decode())


def counts(page: str) -> dict[str, str]:
    """What the filters say behind their choices."""
    return dict(re.findall(r"title=\"(?:\w+ · )?([\w ]+) \((\d+)\)\"", page))


class FewAreCounted(EventAdmin):
    """Events, of which the newest three are counted."""

    counted_rows = 3


def test_counts_are_of_all_rows_of_a_small_table(admin_client: Client, events: list[str]) -> None:
    page = admin_client.get(EVENTS, {"_facets": "True"}).content.decode()
    assert counts(page) == {
        **dict.fromkeys(counts(page), "0"),
        "custom": "4",
        "order_created": "2",
        "Acme": "6",
        "No": "6",
    }
    assert "rows are counted" not in page


def test_counts_are_of_the_newest_rows_of_a_large_table_and_say_so(admin_user: User, events: list[str]) -> None:
    page = show(FewAreCounted(Event, admin.site), admin_user, "_facets=True")
    assert counts(page) == {
        **dict.fromkeys(counts(page), "0"),
        "custom": "1",
        "order_created": "2",
        "Acme": "3",
        "No": "3",
    }
    assert "Only the newest 3 rows are counted" in page
    assert all(event in page for event in events)


def test_counts_of_a_filtered_list_leave_out_its_own_filter_alone(admin_user: User, events: list[str]) -> None:
    page = show(FewAreCounted(Event, admin.site), admin_user, "_facets=True&event_name=custom")
    assert counts(page)["order_created"] == "2"
    assert counts(page)["Acme"] == "1"


def test_counting_reads_the_table_once_for_each_filter(admin_client: Client, events: list[str]) -> None:
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(EVENTS, {"_facets": "True"})
    counting = [query["sql"] for query in queries.captured_queries if "COUNT(" in query["sql"]]
    assert len(counting) == len(EventAdmin.list_filter) == 4
    assert not any(" IN (SELECT" in sql for sql in counting)


def test_counting_that_fails_leaves_the_list(admin_user: User, events: list[str]) -> None:
    class FailingFacet(admin.SimpleListFilter):
        title, parameter_name = "kind", "kind"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [("a", "a"), ("b", "b")]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
            return queryset

        def get_facet_queryset(self, changelist: Any) -> Any:
            raise DatabaseError("target lists can have at most 1664 entries")

    class Failing(EventAdmin):
        list_filter = (FailingFacet,)  # type: ignore[assignment]  # other filters than those of its base

    page = show(Failing(Event, admin.site), admin_user, "_facets=True")
    assert "Counting took too long and was given up" in page
    assert all(event in page for event in events)


@pytest.mark.parametrize("order", ["0", "-0", "1", "-2", "3.-4", "6", "99", "x", "-", "1.1.1"])
def test_events_are_sorted_by_their_id_whatever_an_address_says(
    admin_client: Client, events: list[str], order: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(EVENTS, {"o": order}).content.decode()
    (listing,) = [query["sql"] for query in queries.captured_queries if "collect_event" in query["sql"]]
    assert re.search(r'ORDER BY "collect_event"\."id" DESC LIMIT', listing)
    positions = [page.index(event) for event in sorted(events, reverse=True)]
    assert positions == sorted(positions)


def test_no_column_of_events_offers_to_sort(admin_client: Client, events: list[str]) -> None:
    assert not re.search(r'href="\?o=', admin_client.get(EVENTS).content.decode())


def test_rejections_are_sorted_by_the_column_that_has_an_index(admin_client: Client, events: list[str]) -> None:
    for n in range(3):
        source = factories.source(ApiKey.objects.get())
        factories.reject(Refusal(Code.INVALID_JSON, "no"), source, b"{", request_id=f"request-{n}")
    address = "/admin/collect/rejection/"
    page = admin_client.get(address).content.decode()
    assert set(re.findall(r'href="\?o=(-?\d)', page)) == {"0"}
    for order, expected in (("0", [0, 1, 2]), ("-0", [2, 1, 0]), ("4", [2, 1, 0]), ("3.0", [0, 1, 2])):
        page = admin_client.get(address, {"o": order}).content.decode()
        assert [int(number) for number in re.findall(r">request-(\d)<", page)] == expected


class SlowRejections(RejectionAdmin):
    """A list that takes its time: five seconds for each row on PostgreSQL; SQLite says that it did."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rejection]:
        queryset: QuerySet[Rejection] = super().get_queryset(request)
        if databases.is_sqlite():  # no statement of SQLite is ended
            return queryset
        slow = Func(Value(5), function="pg_sleep", output_field=CharField())
        return cast("QuerySet[Rejection]", queryset.annotate(slow=slow))

    def get_paginator(self, request: HttpRequest, queryset: QuerySet[Rejection], *args: Any, **kwargs: Any) -> Any:
        if databases.is_sqlite() and not queryset.query.is_empty():
            raise OperationalError("canceling statement") from psycopg.errors.QueryCanceled("canceling statement")
        return super().get_paginator(request, queryset, *args, **kwargs)


def test_list_that_takes_too_long_is_a_page_that_says_so(admin_user: User, events: list[str]) -> None:
    source = factories.source(ApiKey.objects.get())
    factories.reject(Refusal(Code.INVALID_JSON, "no"), source, b"{", request_id="request-1")
    with connection.cursor() as cursor:
        if not databases.is_sqlite():
            cursor.execute("SET statement_timeout = 100")
        page = show(SlowRejections(Rejection, admin.site), admin_user, "p=2&code=invalid_json")
        if not databases.is_sqlite():
            cursor.execute("RESET statement_timeout")
    assert "was given up" in page
    assert "Choose fewer rows" in page
    assert "request-1" not in page
    assert "By reason" in page


def test_list_of_a_database_that_is_away_is_no_page(admin_user: User) -> None:
    class Away(EventAdmin):
        def get_paginator(self, *args: Any, **kwargs: Any) -> Any:
            raise OperationalError("connection refused")

    with pytest.raises(OperationalError, match="connection refused"):
        show(Away(Event, admin.site), admin_user)
