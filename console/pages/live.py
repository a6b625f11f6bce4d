"""Live: events and rejections as they are committed, and any list of them, newest first."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from collect.intake.contract import STANDARD_EVENTS
from console.pages import choices
from console.pages.frame import DataPage
from reporting import ranges
from reporting.live import filters, listing, stream, watching
from reporting.live.filters import Filter
from reporting.live.listing import Page
from reporting.live.stream import Place, Row
from reporting.live.watching import Late, News, Second
from reporting.ranges import Range
from runtime.display import millisecond, second

# Rows of a page of a list, and how many at least are shown below the last two minutes.
LISTED, FEWEST = 100, 40
# Rows of a page of JSON, which a script reads.
LISTED_AS_JSON = 500
# What in an address names a time.
_TIMES = ("from", "until", "range")
# What links lead here with, and the form has only then.
_NARROWED = ("country", "browser", "bot", "currency")
_ROADS = {
    "spool": "came late, from the spool",
    "delay": "came late, from a worker that was overloaded",
    "import": "were imported",
    "replay": "were replayed from rejections",
}


class LivePage(DataPage):
    """What comes in. With `after`, what is new since; with a range, the list of that time, page by page."""

    title = "Live"
    template_name = "admin/live.html"
    permissions: ClassVar = ("collect.view_event", "collect.view_rejection")

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return the rows. Raises `BadRange` for an address that names no time, filter or place."""
        chosen = filters.of_query(request.GET.dict())
        address = _Address(request.path, chosen)
        shared: dict[str, Any] = {"filter": chosen.query, "address": address.to()}
        if any(request.GET.get(name) for name in _TIMES):
            within = self.range(request)
            limit = LISTED_AS_JSON if self.is_json else LISTED
            page = listing.search(chosen, within, listing.read(request.GET.get("before", "")), limit)
            return shared | {"is_live": False, "range": _in_words(within), "list": _listed(address, page, within)}
        now = datetime.now(UTC)
        after = request.GET.get("after")
        news = watching.look(chosen, watching.read(after) if after else None, now)
        shared |= {"is_live": True, "news": _news(address, news, now)}
        if after:
            return shared
        before = listing.everything_before(stream.second(news.cursor.start).start)
        shown = sum(len(one.rows) for one in news.seconds)
        page = listing.search(chosen, before, Place(), max(FEWEST, LISTED - shown))
        return shared | {"list": _listed(address, page, before)}

    def range(self, request: HttpRequest) -> Range:
        """Return the time that the address names; without `from` and a length, from the beginning."""
        query = {name: request.GET[name] for name in _TIMES if request.GET.get(name)}
        within = ranges.of_query(query, self.default_range, longest=None)
        return listing.everything_before(within.end) if query.keys() == {"until"} else within

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return the choices of the filter. A look for news is rendered by another template, with nothing around it."""
        if request.GET.get("after"):
            self.template_name = "admin/live_news.html"
            return {}
        return {
            "partners": choices.partners(request),
            "keys": choices.keys(request, data["filter"].get("partner")),
            "names": STANDARD_EVENTS,
            "narrowed": [(name, data["filter"][name]) for name in _NARROWED if name in data["filter"]],
            "kinds": filters.KINDS,
            "outcomes": [(one, one.replace("_", " ")) for one in filters.OUTCOMES],
            "range_query": {name: request.GET[name] for name in _TIMES if request.GET.get(name)},
        }


class _Address:
    """Makes addresses of this page, HTML or JSON as it is, under the same filter."""

    def __init__(self, path: str, chosen: Filter) -> None:
        self._path = path
        self._filter = chosen.query

    def to(self, **parameters: str) -> str:
        """Return the address with these parameters beside the filter's."""
        query = urlencode(self._filter | parameters)
        return f"{self._path}?{query}" if query else self._path

    def of(self, within: Range, place: Place | None = None) -> str:
        """Return the address of the list of this time, or of the part of it that begins at `place`."""
        return self.to(**within.query, **({"before": listing.write(place)} if place else {}))


def _in_words(within: Range) -> str:
    return f"Until {second(within.end)} UTC" if within.start == listing.BEGINNING else str(within)


def _news(address: _Address, news: News, now: datetime) -> dict[str, Any]:
    return {
        "seconds": [_second(address, one) for one in news.seconds],
        "missed": news.missed and _second(address, news.missed),
        "late": [_late(address, one) for one in news.late],
        "new": news.new,
        "at": f"{now:%H:%M:%S}",
        "next": address.to(after=str(news.cursor)),
    }


def _listed(address: _Address, page: Page, within: Range) -> dict[str, Any]:
    return {
        "seconds": [_second(address, one) for one in watching.by_second(page.rows)],
        "looked_back_to": page.looked_back_to and millisecond(page.looked_back_to),
        "older": page.older and address.of(within, page.older),
    }


def _second(address: _Address, one: Second) -> dict[str, Any]:
    return {
        "second": int(one.range.start.timestamp()),
        "range": str(one.range),
        "time": second(one.range.start)[11:],
        "until": one.range.query["until"],
        "is_long": one.range.length > timedelta(seconds=1),
        "events": one.events,
        "rejections": one.rejections,
        "is_more_than_counted": one.is_least or max(one.events, one.rejections) >= stream.COUNTED,
        "was_told": one.was_told,
        "rows": [_row(row) for row in one.rows],
        "more": one.more,
        "more_rejections": max(0, one.rejections - sum(row.kind == stream.REJECTION for row in one.rows)),
        "list": address.of(one.range),
    }


def _row(row: Row) -> dict[str, Any]:
    is_event = row.kind == stream.EVENT
    page = "admin:collect_event_change" if is_event else "admin:collect_rejection_change"
    return {
        "kind": row.kind,
        "id": row.id,
        "received_at": row.received_at.isoformat().replace("+00:00", "Z"),
        "time": f"{row.received_at:%H:%M:%S}.{row.received_at.microsecond // 1000:03}",
        "date": f"{row.received_at:%Y-%m-%d}",
        "partner_id": row.partner_id,
        "partner": row.partner,
        "key_id": row.key_id,
        "key": row.key,
        "is_test": row.is_test,
        "outcome": filters.STORED if is_event else row.code,
        "name": row.name,
        "tag": row.tag,
        "event_id": row.event_id,
        "detail": row.detail,
        "request_id": row.request_id,
        "page": reverse(page, args=[row.id]),
    }


def _late(address: _Address, one: Late) -> dict[str, Any]:
    return {
        "road": one.road,
        "how": _ROADS[one.road],
        "partner": one.partner,
        "events": one.events,
        "rejections": one.rejections,
        "range": str(one.range),
        "list": address.of(one.range),
    }
