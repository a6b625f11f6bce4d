"""The ledger: what came in, what became of it, and whether the numbers agree with each other and with the table."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from collect.models import Machine
from console import charts
from console.pages import choices
from console.pages.frame import DataPage
from keys.models import Partner
from reporting import conservation, ranges, traffic
from reporting.conservation import Conservation
from reporting.live import filters
from reporting.ranges import BadRange, Range
from reporting.traffic import Whose

# How many partners are listed.
LISTED = 500
# The kinds of keys whose traffic can be looked at.
_KINDS = {"live": False, "test": True, "all": None}


def whose(request: HttpRequest) -> Whose:
    """Return whose traffic the address means. Raises `BadRange` for what is none."""
    partner, kind = request.GET.get("partner", "").strip(), request.GET.get("kind") or "live"
    if partner and not (partner.isascii() and partner.isdecimal() and len(partner) < 19):
        raise BadRange(f"partner: a number, not {partner!r}")
    if kind not in _KINDS:
        raise BadRange(f"kind: one of {', '.join(_KINDS)}, not {kind!r}")
    return Whose(int(partner) if partner else None, is_test=_KINDS[kind])


def equation(found: Conservation, chosen: Whose = traffic.EVERYBODY) -> dict[str, Any]:
    """Return the equation as a page and its JSON have it."""
    return {
        "over": str(found.over),
        **found.over.query,
        "received": found.received,
        "list": live_list(found.over, chosen),
        "terms": [
            {"name": term.name, "events": term.events, "list": behind(found.over, chosen, term.name)}
            for term in found.terms
        ],
        "difference": found.difference,
        "rows": found.rows
        and {
            "over": str(found.rows.over),
            "counted": found.rows.counted,
            "terms": [{"name": term.name, "events": term.events} for term in found.rows.terms if term.events],
            "difference": found.rows.difference,
        },
        "unknown": found.unknown,
        "gaps": [
            {"machine": gap.machine, "from": gap.start, "until": gap.end, "events": gap.events} for gap in found.gaps
        ],
        "silent_machines": [machine.name for machine in found.silent],
        "is_whole": found.is_whole,
        "is_explained": found.is_explained,
    }


def behind(over: Range, chosen: Whose, outcome: str) -> str:
    """Return the address of the list of what had this outcome; empty where no row is kept of it."""
    return live_list(over, chosen, outcome=outcome) if outcome in filters.OUTCOMES else ""


def live_list(over: Range, chosen: Whose = traffic.EVERYBODY, **columns: Any) -> str:
    """Return the address of the list of what was received in the range."""
    kinds = [name for name, is_test in filters.KINDS.items() if is_test is chosen.is_test]
    of = {"partner": chosen.partner, "kind": "".join(kinds), **columns}
    return f"{reverse('console:live')}?{urlencode(over.query | {name: value for name, value in of.items() if value})}"


def series(over: Range, chosen: Whose = traffic.EVERYBODY) -> list[dict[str, Any]]:
    """Return the outcomes over time, as a page and its JSON have them."""
    return [{**point.over.query, "outcomes": point.outcomes} for point in traffic.series(over, chosen)]


def chart(title: str, over: Range, found: list[dict[str, Any]], chosen: Whose = traffic.EVERYBODY) -> charts.Chart:
    """Return the chart of a `series` of the range; each bar leads to the list behind it."""
    times = [ranges.of_query(one, longest=None) for one in found]
    bars = [
        charts.Point(time.start, time.end, live_list(time, chosen), one["outcomes"])
        for time, one in zip(times, found, strict=True)
    ]
    return charts.Chart(title, [replace(one, href=behind(over, chosen, one.name)) for one in charts.OUTCOMES], bars)


def machines() -> list[dict[str, Any]]:
    """Return the machines that have reported, the newest report first."""
    return [
        {
            "name": machine.name,
            "reported_at": machine.reported_at,
            "spool_events": machine.spool_events,
            "spool_oldest": machine.spool_oldest,
            "spool_set_aside": machine.spool_set_aside,
            "geo_state": machine.geo_state,
            "geo_built_at": machine.geo_built_at,
        }
        for machine in Machine.objects.order_by("-reported_at")[:100]
    ]


class LedgerPage(DataPage):
    """The equation of a range, its chart, its partners, and the requests that never became events."""

    title = "Ledger of outcomes"
    template_name = "admin/ledger.html"
    default_range = "24h"

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return the numbers of the range. Raises `BadRange` for an address that names no time or partner."""
        over, chosen = self.range(request), whose(request)
        found = traffic.totals(over, chosen)
        return {
            "range": str(over),
            **over.query,
            "partner": chosen.partner,
            "kind": next(name for name, is_test in _KINDS.items() if is_test is chosen.is_test),
            "counts_since": conservation.earliest(),
            "equation": equation(conservation.of(over, chosen), chosen),
            "received": found.received,
            "requests": found.requests,
            "bytes": found.bytes,
            "outcomes": found.outcomes,
            "turned_away": found.turned_away,
            "causes": [
                {"code": code, "events": events, "list": behind(over, chosen, code)}
                for code, events in traffic.causes(over, chosen)
            ],
            "partners": self._partners(over, chosen),
            "series": series(over, chosen),
            "machines": machines(),
        }

    def _partners(self, over: Range, chosen: Whose) -> list[dict[str, Any]]:
        by_partner = traffic.by("partner", over, chosen)
        names = dict(Partner.objects.filter(pk__in=by_partner).values_list("pk", "name"))
        return [
            {
                "partner": partner,
                "name": names.get(partner, str(partner)),
                "received": by_partner[partner].received,
                "outcomes": by_partner[partner].outcomes,
                "list": live_list(over, replace(chosen, partner=partner)),
            }
            for partner in traffic.partners_of(by_partner)[:LISTED]
        ]

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return the chart and the choices of the form."""
        over, chosen = self.range(request), whose(request)
        return {
            "chart": chart("Events by outcome", over, data["series"], chosen),
            "lengths": ranges.IN_WORDS,
            "choices": choices.partners(request),
            "kinds": _KINDS,
            "columns": [name.replace("_", " ") for name in traffic.OUTCOMES],
        }
