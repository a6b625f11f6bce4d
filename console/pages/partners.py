"""Partners in the console: what each sends and what becomes of it, and what is wrong with what it sends."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest
from django.urls import reverse

from collect.storage.outcomes import Outcome
from console import charts, warnings
from console.charts import Chart, Line, Point
from console.pages.choices import may_see_keys
from console.pages.frame import DataPage
from keys.models import ApiKey, Partner
from reporting import traffic
from reporting.ranges import LENGTHS, Range
from reporting.senders import clocks, partners, quality
from reporting.senders.partners import Sent
from reporting.traffic import Whose

PARTNERS_OF_A_PAGE = 25
# Fields that vanished, and keys, that a page shows.
SHOWN_FIELDS, SHOWN_KEYS = 8, 50
_PERMISSIONS = ("collect.view_event", "keys.view_partner")


def _range(period: Range) -> dict[str, Any]:
    return {"start": period.start, "end": period.end, "text": str(period), "query": urlencode(period.query)}


def _lengths(request: HttpRequest, default: str) -> list[dict[str, Any]]:
    """Return the ranges that an operator may choose, as links to the page that is shown."""
    is_named = "from" not in request.GET and "until" not in request.GET
    chosen = request.GET.get("range", default) if is_named else None
    return [{"name": name, "href": f"?range={name}", "is_chosen": name == chosen} for name in LENGTHS]


class PartnersPage(DataPage):
    """All partners by name, with what they sent in a range."""

    title = "Partners"
    template_name = "admin/partners/list.html"
    permissions = _PERMISSIONS

    def data(self, request: HttpRequest, **_named: Any) -> dict[str, Any]:
        """Return the partners of a page. Raises `BadRange`."""
        period = self.range(request)
        page = Paginator(Partner.objects.order_by("name"), PARTNERS_OF_A_PAGE).get_page(request.GET.get("page"))
        ids = [partner.pk for partner in page]
        sent, last = partners.sent(ids, period), partners.last_events(ids)
        told = _warnings(request)
        return {
            "range": _range(period),
            "page": {"number": page.number, "of": page.paginator.num_pages, "partners": page.paginator.count},
            "partners": [_row(partner, sent[partner.pk], last.get(partner.pk), told[partner.pk]) for partner in page],
        }

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return the lines to draw, and the links."""
        page = data["page"]
        chosen = {name: request.GET[name] for name in ("range", "from", "until") if name in request.GET}

        def link(number: int) -> str | None:
            return f"?{urlencode({**chosen, 'page': number})}" if 0 < number <= page["of"] else None

        lines = [Line(f"Events of {row['name']}", row["rhythm"]) for row in data["partners"]]
        return {
            "rows": list(zip(data["partners"], lines, strict=True)),
            "lengths": _lengths(request, self.default_range),
            "earlier": link(page["number"] - 1),
            "later": link(page["number"] + 1),
            "chosen": urlencode(chosen),
        }


def _row(partner: Partner, sent: Sent, last: datetime | None, told: Sequence[str]) -> dict[str, Any]:
    return {
        "id": partner.pk,
        "name": partner.name,
        "address": reverse("console:partner", kwargs={"partner_id": partner.pk}),
        "events": sent.outcomes.total(),
        "refused_share": sent.refused_share,
        "last_event": last,
        "rhythm": sent.rhythm,
        "warnings": list(told),
    }


def _warnings(request: HttpRequest) -> dict[int, list[str]]:
    """Return the warnings of partners and, to whoever may see keys, of their keys, by partner."""
    found: dict[int, list[str]] = defaultdict(list)
    for warning in warnings.find():
        if warning.key is not None and not may_see_keys(request):
            continue
        text = warning.text if warning.key is None else f"{_named(warning.key)} {warning.text}"
        found[warning.partner.pk].append(text)
    return found


def _named(key: ApiKey) -> str:
    """Return the key's label and the part of its prefix that tells it from others."""
    return f"key {key.label} ({key.prefix.rpartition('_')[2]})"


class PartnerPage(DataPage):
    """One partner: traffic, keys, quality, fields that vanished, and its clock."""

    template_name = "admin/partners/partner.html"
    permissions = _PERMISSIONS

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return what there is to know of the partner. Raises `BadRange`, and `Http404` where there is none."""
        partner = Partner.objects.filter(pk=named["partner_id"]).first()
        if partner is None:
            raise Http404(f"There is no partner {named['partner_id']}")
        period = self.range(request)
        sent = partners.sent([partner.pk], period)[partner.pk]
        sampled = quality.sample(partner.pk, period)
        return {
            "title": partner.name,
            "partner": _row(
                partner,
                sent,
                partners.last_events([partner.pk]).get(partner.pk),
                _warnings(request)[partner.pk],
            ),
            "range": _range(period),
            "traffic": [
                {"start": point.over.start, "end": point.over.end, **point.outcomes}
                for point in traffic.series(period, Whose(partner=partner.pk))
            ],
            "outcomes": {name: sent.outcomes[name] for name in traffic.OUTCOMES},
            "keys": _keys(partner, period) if may_see_keys(request) else [],
            "sampled": {"events": len(sampled.events), "is_all": sampled.is_all},
            "quality": [asdict(one) for one in quality.shares(sampled.events)],
            "vanished": _vanished(partner, sampled),
            "clock": _clock([*sampled.clock, *partners.refused_clock(partner.pk, period)]),
        }

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return the chart and the links."""
        return {
            "lengths": _lengths(request, self.default_range),
            "may_see_keys": may_see_keys(request),
            "chart": _chart(data["partner"]["id"], data["traffic"]),
            "changes": [
                (fall, _list(data["partner"]["id"], Range(fall["last"], fall["first"] + _A_SECOND), name=fall["name"]))
                for fall in data["vanished"]
            ],
            "measures": list(quality.MEASURES),
        }


# Both ends of a change are on the list that shows it.
_A_SECOND = timedelta(seconds=1)


def _list(partner: int, over: Range, **chosen: str) -> str:
    """Return the address of the list of the partner's events and rejections in a time."""
    return f"{reverse('console:live')}?{urlencode({'partner': partner, **chosen, **over.query})}"


def _chart(partner: int, parts: Sequence[dict[str, Any]]) -> Chart:
    """Return the chart of the traffic; each bar leads to the list of its events."""
    series = [one for one in charts.OUTCOMES if any(part.get(one.name) for part in parts)]
    points = [
        Point(
            part["start"],
            part["end"],
            _list(partner, Range(part["start"], part["end"])),
            {one.name: part.get(one.name, 0) for one in series},
        )
        for part in parts
    ]
    return Chart("Events by outcome", series, points)


def _keys(partner: Partner, period: Range) -> list[dict[str, Any]]:
    """Return the partner's keys, the last used first, with what became of what they sent."""
    outcomes, keys = partners.by_key(partner.pk, period), ApiKey.objects.filter(partner=partner)
    found = []
    for key in keys.order_by("-last_used_at", "-pk")[:SHOWN_KEYS]:
        of_key = outcomes.get(key.pk, Counter())
        found.append(
            {
                "prefix": key.prefix,
                "label": key.label,
                "address": reverse("admin:keys_apikey_change", args=[key.pk]),
                "is_test": key.is_test,
                "state": key.state,
                "last_used": key.last_used_at,
                "received": sum(of_key[name] for name in traffic.OUTCOMES),
                "refused": of_key[Outcome.REJECTED],
                "turned_away": of_key["turned_away"],
            }
        )
    return found


def _vanished(partner: Partner, sampled: quality.Sampled) -> list[dict[str, Any]]:
    found = quality.vanished(sampled.events)[:SHOWN_FIELDS]
    return [asdict(quality.closer(fall, partial(quality.sample, partner.pk))) for fall in found]


def _clock(samples: Sequence[clocks.Sample]) -> list[dict[str, Any]]:
    return [
        {
            "signature": found.signature,
            "text": found.text,
            "events": found.events,
            "of": found.of,
            "ahead_seconds": found.ahead,
            "first": datetime.fromtimestamp(found.first, UTC),
            "last": datetime.fromtimestamp(found.last, UTC),
        }
        for found in clocks.diagnose(samples)
    ]
