"""What partners send, by the ledger: how much in which part of a time, what became of it, and who fell silent."""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from django.db.models import Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import TruncHour, TruncMinute

from collect.intake.contract import MILLISECONDS_FROM
from collect.models import Event, LedgerEntry, Rejection
from collect.storage.ledger.tally import RECEIVED, TURNED_AWAY
from collect.storage.outcomes import Outcome
from keys.models import Partner
from reporting import traffic
from reporting.ranges import Range
from reporting.senders.clocks import Sample

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# A line shows so many points at most, and those of a longer range are whole hours.
_POINTS, _BY_HOUR = 24, 6 * HOUR
# A partner is silent if it sent in so many of the 24 hours before its last event, and nothing for an hour.
_STEADY_HOURS = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """What a partner sent in a range: the events that came to each outcome, and their number in equal parts of it."""

    outcomes: Counter[str]
    rhythm: list[int]

    @property
    def refused_share(self) -> float | None:
        """The part that was refused, from 0 to 1; None if nothing was sent."""
        return self.outcomes[Outcome.REJECTED] / self.outcomes.total() if self.outcomes.total() else None


def _entries(over: Range, partners: Collection[int]) -> QuerySet[LedgerEntry]:
    """Return what the ledger has of live events that these partners sent in a time."""
    live = traffic.entries(over).filter(partner__in=partners)
    return live.filter(endpoint__in=traffic.INCOMING, outcome__in=traffic.OUTCOMES)


def sent(partners: Collection[int], over: Range) -> dict[int, Sent]:
    """Return what each of the partners sent, by its id."""
    step = over.length / _POINTS
    step = -(-step // HOUR) * HOUR if over.length >= _BY_HOUR else max(step, MINUTE)
    first = over.start.replace(minute=0, second=0, microsecond=0) if step >= HOUR else over.start
    number = -((first - over.end) // step)
    found = {partner: Sent(Counter(), [0] * number) for partner in partners}
    grain = TruncHour("start") if step >= HOUR else TruncMinute("start")
    sums = _entries(over, partners).annotate(grain=grain).values("partner", "outcome", "grain")
    rows = sums.annotate(sum=Sum("events")).values_list("partner", "outcome", "grain", "sum")
    for partner, outcome, moment, events in rows:
        found[partner].outcomes[outcome] += events
        found[partner].rhythm[(moment - first) // step] += events
    return found


def by_key(partner_id: int, over: Range) -> dict[int, Counter[str]]:
    """Return the events of each outcome, and the requests that were turned away, of each of the partner's keys."""
    entries = traffic.entries(over, traffic.Whose(partner=partner_id, is_test=None))
    sums = entries.filter(api_key__isnull=False, endpoint__in=traffic.INCOMING).values_list("api_key", "outcome")
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for key, outcome, events, requests in sums.annotate(Sum("events"), Sum("requests")):
        # What never became events is counted by its requests.
        found[key][outcome] += requests if outcome == TURNED_AWAY else events
    return dict(found)


# So many events have to be refused, and none accepted, before a key is named for it.
_ALWAYS = 10


def always_refused(partners: Collection[int], over: Range) -> list[tuple[int, int, int]]:
    """Return the keys that were used and always refused: the partner's id, the key's, and the number of events."""
    found: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    sums = _entries(over, partners).values_list("partner", "api_key", "outcome").annotate(Sum("events"))
    for partner, key, outcome, events in sums:
        found[partner, key][outcome] += events
    refused = {pair: outcomes[Outcome.REJECTED] for pair, outcomes in found.items() if len(+outcomes) == 1}
    return [(partner, key, events) for (partner, key), events in sorted(refused.items()) if events >= _ALWAYS]


def last_events(partners: Collection[int]) -> dict[int, datetime]:
    """Return when the last event of each partner came in, of those that have any: one look into the index for each."""
    newest = Event.objects.filter(partner=OuterRef("pk")).order_by("-received_at").values("received_at")[:1]
    found = Partner.objects.filter(pk__in=partners).annotate(last=Subquery(newest)).filter(last__isnull=False)
    return dict(found.values_list("pk", "last"))


def silent(partners: Collection[int], now: datetime) -> dict[int, datetime]:
    """Return the partners that sent hour by hour and then stopped, with the minute of the last event they sent.

    It looks back two days, by the ledger. An hour without anything is not silence for a partner that often has one.
    """
    since = (now - 2 * DAY).replace(minute=0, second=0, microsecond=0)
    entries = traffic.entries(Range(since, now + MINUTE)).filter(partner__in=partners, outcome=RECEIVED, events__gt=0)
    hours = entries.annotate(hour=TruncHour("start")).values("partner", "hour").annotate(last=Max("start"))
    by_partner: dict[int, dict[datetime, datetime]] = defaultdict(dict)
    for partner, hour, last in hours.values_list("partner", "hour", "last"):
        by_partner[partner][hour] = last
    found = {}
    for partner, lasts in by_partner.items():
        last_hour = max(lasts)
        steady = sum(last_hour - DAY <= hour < last_hour for hour in lasts)
        if now - lasts[last_hour] >= HOUR + MINUTE and steady >= _STEADY_HOURS:
            found[partner] = lasts[last_hour]
    return found


# --- what the clock doctor sees of refused events ---

_REFUSED_LOOKED_AT, _REFUSED_READ, _LARGEST_BODY = 500, 200, 8_192


class _Dated(msgspec.Struct):
    timestamp: float


def refused_clock(partner_id: int, period: Range) -> list[Sample]:
    """Return samples of the newest events that were refused for a number that is no moment, such as microseconds."""
    newest = Rejection.objects.filter(
        partner=partner_id, received_at__gte=period.start, received_at__lt=period.end
    ).order_by("-received_at")
    rows = newest.values_list("pk", "errors")[:_REFUSED_LOOKED_AT]
    dated = [pk for pk, errors in rows if "timestamp" in errors][:_REFUSED_READ]
    bodies = Rejection.objects.filter(pk__in=dated, body_size__lte=_LARGEST_BODY)
    samples = []
    for received_at, body in bodies.values_list("received_at", "body"):
        try:
            number = msgspec.json.decode(bytes(body), type=_Dated).timestamp
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
            continue
        samples.append(Sample(received_at.timestamp(), number / 1000 if number >= MILLISECONDS_FROM else number))
    return samples
