"""The overview: is all well, what came in, what became of it, and what it was."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from console import charts
from console.pages import ledger
from console.pages.frame import DataPage
from keys.models import Partner
from reporting import conservation, health, ranges, tops, traffic
from reporting.health import Topic
from reporting.live import filters
from reporting.ranges import Range
from reporting.traffic import Whose

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
# What the lists are called.
_TITLES = {
    "event_name": "Event names",
    "tag": "Tags",
    "country": "Countries",
    "browser": "Browsers",
    "bot": "Bots",
}
# Under which name the stream is filtered by them, where that is another.
_FILTERS = {"event_name": "name"}


class OverviewPage(DataPage):
    """The first page. Whoever may not see events sees what he may: the lists in the menu, and warnings of keys."""

    title = "Overview"
    template_name = "admin/overview.html"
    permissions: ClassVar = ()

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return the numbers; none for an operator who may not see events."""
        if not request.user.has_perm("collect.view_event"):
            return {"may_see_events": False}
        now = datetime.now(UTC)
        hour, day = ranges.last(HOUR, now), ranges.last(DAY, now)
        equation = conservation.of(hour, traffic.EVERYBODY, now)
        of_day = traffic.totals(day)
        return {
            "may_see_events": True,
            "hour": {"range": str(hour), **hour.query, "series": ledger.series(hour)},
            "day": {"range": str(day), **day.query, "series": ledger.series(day)},
            "findings": [
                {"state": one.state, "topic": one.topic, "text": one.text, "address": _address(one.topic, hour)}
                for one in health.find(traffic.totals(hour), equation, now)
            ],
            "equation": ledger.equation(equation),
            "compared": _compared(now),
            "partners": _partners(day),
            "causes": [{"code": code, "events": events} for code, events in traffic.causes(day)],
            "received": of_day.received,
            "tops": _tops(day),
            "machines": ledger.machines(),
        }

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return the charts."""
        if not data["may_see_events"]:
            return {}
        hour, day = ranges.of_query(data["hour"]), ranges.of_query(data["day"])
        return {
            "chart_of_hour": ledger.chart("Events a minute, last hour", hour, data["hour"]["series"]),
            "chart_of_day": ledger.chart("Events a quarter of an hour, last day", day, data["day"]["series"]),
            "shares": [_shares(name, data["tops"]) for name in _TITLES],
            "shares_of_partners": charts.Shares(
                "Partners",
                [charts.Share(one["name"], one["received"], one["list"]) for one in data["partners"]],
                data["received"],
            ),
            "shares_of_causes": charts.Shares(
                "Rejected, by cause",
                [
                    charts.Share(one["code"], one["events"], ledger.behind(day, traffic.EVERYBODY, one["code"]))
                    for one in data["causes"]
                ],
            ),
        }


def _address(topic: Topic, hour: Range) -> str:
    if topic is Topic.REJECTIONS:
        return ledger.live_list(hour, outcome="rejected")
    if topic is Topic.LEDGER:
        return f"{reverse('console:ledger')}?{urlencode(hour.query)}"
    return f"{reverse('console:ledger')}#machines"


def _compared(now: datetime) -> list[dict[str, Any]]:
    """Return the last 24 whole hours beside those of a day and of a week before, of which hours are known."""
    end = now.replace(minute=0, second=0, microsecond=0)
    today = Range(end - DAY, end)
    received = traffic.totals(today).received
    spans = {"last 24 hours": today, "a day before": today.before(DAY), "a week before": today.before(WEEK)}
    return [_beside(name, over, received) for name, over in spans.items()]


def _beside(name: str, over: Range, today: int) -> dict[str, Any]:
    found = traffic.totals(over)
    return {
        "name": name,
        "range": str(over),
        "address": f"{reverse('console:ledger')}?{urlencode(over.query)}",
        "lists": {name: ledger.live_list(over, outcome=name) for name in (filters.STORED, filters.REJECTED)},
        "received": found.received,
        **found.outcomes,
        # By how much more, or less, came in today.
        "change": (today - found.received) / found.received if found.received else None,
    }


def _partners(day: Range) -> list[dict[str, Any]]:
    by_partner = traffic.by("partner", day)
    chosen = traffic.partners_of(by_partner)[: tops.SHOWN]
    names = dict(Partner.objects.filter(pk__in=chosen).values_list("pk", "name"))
    return [
        {
            "partner": partner,
            "name": names.get(partner, str(partner)),
            "received": by_partner[partner].received,
            "list": ledger.live_list(day, Whose(partner)),
        }
        for partner in chosen
    ]


def _tops(day: Range) -> dict[str, Any]:
    found = tops.of(day)
    return {
        "events": found.events,
        "range": str(found.over),
        **found.over.query,
        "notes": found.notes,
        **{name: [{"value": value, "events": events} for value, events in found.by[name]] for name in _TITLES},
        "worth": [
            {
                "currency": currency,
                "sum": total,
                "events": events,
                "list": ledger.live_list(found.over, currency=currency),
            }
            for currency, (total, events) in found.worth.items()
        ],
    }


def _shares(name: str, found: dict[str, Any]) -> charts.Shares:
    over = ranges.of_query(found)

    def address(value: Any) -> str:
        return ledger.live_list(over, **{_FILTERS.get(name, name): value})

    rows = [charts.Share(str(one["value"]), one["events"], address(one["value"])) for one in found[name]]
    return charts.Shares(_TITLES[name], rows, found["events"])
