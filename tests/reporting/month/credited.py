"""What the conversions of the month are credited to: as the oracle says, which is given the plan's events alone."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.reporting.attribution import oracle
from tests.reporting.month.known import day_of, touch_of
from tests.reporting.month.plan import CONVERSIONS, PARTNERS, Planned

MODELS = ("last", "first", "linear", "position")
WINDOWS = {"click": timedelta(days=30), "view": timedelta(days=1)}
# What tells one line of credit from another, besides the currency.
SOURCES = ("partner", "conversion", "kind", "match", "tag", "event_name", "day")
REASONS = {
    "outside": "only touches outside the window",
    "after": "only touches after the conversion",
    "organic": "organic, as its sender says, and no touch with its ids",
    "no touch": "no touch with its ids",
    "no ids": "no ids to match by",
}
# An id of more touches would be nobody's, and match nothing. No id of the month has so many.
MOST = 1_000

Dict = dict[str, Any]


class Line:
    """A sum of conversions and of their values; the value is None if none of them has one."""

    __slots__ = ("conversions", "nearest", "touches", "value")

    def __init__(self) -> None:
        self.conversions = Decimal(0)
        self.value: Decimal | None = None
        self.touches = 0
        # Of what is credited to nothing: how far from it the nearest touch is that is none of its candidates.
        self.nearest: timedelta | None = None

    def add(self, conversions: Decimal, value: Decimal | None) -> None:
        self.conversions += conversions
        if value is not None:
            self.value = (self.value or 0) + value

    def see(self, gaps: Iterable[timedelta]) -> None:
        self.nearest = min([*gaps, *([] if self.nearest is None else [self.nearest])], default=None)


class Credited:
    """The lines of credit by model, sources and currency, and those of nothing by reason and currency."""

    def __init__(self, planned: Iterable[Planned]) -> None:
        self.credit: dict[str, defaultdict[tuple[str | None, ...], Line]] = {
            model: defaultdict(Line) for model in MODELS
        }
        self.nothing: defaultdict[tuple[str, str | None], Line] = defaultdict(Line)
        # The events that show touches, by each of their ids.
        self._touches: defaultdict[tuple[int, str, int], list[Dict]] = defaultdict(list)
        conversions = []
        for event in planned:
            if not event.is_erased and not event.is_test:
                self._see(event)
                # An order that is reported again is the same conversion.
                if event.name in CONVERSIONS and not event.is_repeat:
                    conversions.append(event)
        assert max(map(len, self._touches.values())) <= MOST
        for event in conversions:
            self._attribute(event)

    def _see(self, event: Planned) -> None:
        if (shown := touch_of(event)) is not None:
            kind, interaction = shown
            more = {"kind": kind, "interaction": interaction, "received": event.arrives, "tag": event.tag}
            touch = _as_dict(event) | more
            for where in _ids(event):
                self._touches[where].append(touch)

    def _attribute(self, event: Planned) -> None:
        conversion = _conversion(event)
        seen = {touch["id"]: touch for where in _ids(event) for touch in self._touches.get(where, ())}
        candidates, others = oracle.judged(conversion, [*seen.values()], WINDOWS)
        if not candidates:
            why = oracle.reason(conversion, others)
            line = self.nothing[REASONS[why], conversion["currency"]]
            line.add(Decimal(1), conversion["value"])
            line.see(abs(conversion["at"] - touch["at"]) for touch in others.get(why, ()))
            return
        for model in MODELS:
            credited = oracle.credited(conversion, candidates, model)
            parts = oracle.parts(Decimal(1), Decimal("0.0001"), [share for _, share, _ in credited])
            for (touch, share, value), part in zip(credited, parts, strict=True):
                if share:
                    line = self.credit[model][_sources(conversion, touch)]
                    line.add(part, value)
                    line.touches += 1


def _sources(conversion: Dict, touch: Dict) -> tuple[str | None, ...]:
    """Return the `SOURCES` and the currency."""
    match = next(name for name, strength in oracle.STRENGTH.items() if strength == touch["strength"])
    (name, _), (shown_by, _) = conversion["report"], touch["report"]
    whose, day, currency = conversion["partner"], conversion["day"], conversion["currency"]
    return whose, name, touch["kind"], match, touch["tag"], shown_by, day, currency


def _ids(event: Planned) -> list[tuple[int, str, int]]:
    ids = {
        "click_id": event.click,
        "impression_id": event.impression,
        "session_id": event.session,
        "client_id": event.client,
    }
    return [(event.partner, name, id) for name, id in ids.items() if id is not None]


def _as_dict(event: Planned) -> Dict:
    # As a text, since 0 is an id, too.
    ids = {name: str(id) for _, name, id in _ids(event)}
    at, report = timedelta(milliseconds=event.at), (event.name, event.event_id or event.number)
    return {"id": event.number, "partner": PARTNERS[event.partner], "at": at, "report": report, **ids}


def _conversion(event: Planned) -> Dict:
    value_e4 = event.money.value_e4
    return _as_dict(event) | {
        "value": None if value_e4 is None else Decimal(value_e4) / 10_000,
        "currency": event.money.currency,
        "attribution_type": event.attribution,
        "day": day_of(event.at).isoformat(),
    }
