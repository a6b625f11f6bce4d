"""Groups of rejections: how many in a time, what share of their key's events, since when, and by which builds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import TruncDay, TruncHour, TruncMinute

from collect.models import Build, LedgerEntry, Rejection, RejectionCount, RejectionGroup
from collect.storage.grouping import builds
from reporting.ranges import Range
from reporting.rejections.bursts import Point
from reporting.rejections.incidents import Incident, SeenBuild, incident

OPEN, RESOLVED, REGRESSED = STATES = ("open", "resolved", "regressed")
COUNT, LAST_SEEN = ORDERS = ("count", "last_seen")
MAX_GROUPS = 50
# How far back an incident is looked for before the last rejection, and how many counts and moments are read for it.
_LOOK_BACK = timedelta(days=7)
_MAX_POINTS, _MAX_MOMENTS, _MAX_BUILDS = 20_000, 5_000, 100

_SEEN_AGAIN = Q(resolved_at__isnull=False, last_seen__gt=F("resolved_at"))
_IN_STATE = {
    OPEN: Q(resolved_at__isnull=True),
    RESOLVED: Q(resolved_at__isnull=False, last_seen__lte=F("resolved_at")),
    REGRESSED: _SEEN_AGAIN,
}


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups: seen in the range, of a partner and key (by id), with a code, in a state; None is any."""

    range: Range
    partner: int | None = None
    key: int | None = None
    code: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group in a range: how many rejections, what share of its key's events (None: unknown), and how many when."""

    group: RejectionGroup
    count: int
    share: float | None
    trend: Sequence[int]

    def as_data(self) -> dict[str, Any]:
        """Return the row as values that JSON knows."""
        return described(self.group) | {"count": self.count, "share": self.share, "trend": list(self.trend)}


def state(group: RejectionGroup) -> str:
    """Return the state that a group is in."""
    if group.resolved_at is None:
        return OPEN
    return REGRESSED if group.last_seen > group.resolved_at else RESOLVED


def described(group: RejectionGroup) -> dict[str, Any]:
    """Return what a group is, as values that JSON knows."""
    return {
        "id": group.pk,
        "partner": group.partner.name,
        "partner_id": group.partner_id,
        "key": group.api_key.prefix,
        "key_id": group.api_key_id,
        "label": group.api_key.label,
        "code": group.code,
        "path": group.path,
        "message": group.message,
        "state": state(group),
        "first_seen": group.first_seen,
        "last_seen": group.last_seen,
        "total": group.count,
        "resolved_at": group.resolved_at,
        "resolved_by": group.resolved_by,
    }


def listed(wanted: GroupFilter, order: str = COUNT) -> list[GroupRow]:
    """Return up to `MAX_GROUPS` groups seen in the range: those with the most rejections in it, or the latest ones."""
    found = _selected(wanted)
    if order == COUNT:
        counted = _counted(wanted.range).filter(group__in=found).values("group").annotate(number=Sum("count"))
        chosen = dict(counted.order_by("-number", "group").values_list("group", "number")[:MAX_GROUPS])
    else:
        ids = list(found.order_by("-last_seen", "-pk").values_list("pk", flat=True)[:MAX_GROUPS])
        counted = _counted(wanted.range).filter(group__in=ids).values("group").annotate(number=Sum("count"))
        numbers = dict(counted.values_list("group", "number"))
        chosen = {pk: numbers[pk] for pk in ids if pk in numbers}
    rows = RejectionGroup.objects.select_related("partner", "api_key").in_bulk(list(chosen))
    trends, received = trend(chosen, wanted.range), _received(rows.values(), wanted.range)
    return [
        GroupRow(rows[pk], number, _share(number, received.get(rows[pk].api_key_id)), trends[pk])
        for pk, number in chosen.items()
    ]


def in_range(group: RejectionGroup, range: Range) -> GroupRow:
    """Return one group with what it had in the range."""
    number = _counted(range).filter(group=group).aggregate(number=Sum("count"))["number"] or 0
    received = _received([group], range).get(group.api_key_id)
    return GroupRow(group, number, _share(number, received), trend([group.pk], range)[group.pk])


def _selected(wanted: GroupFilter) -> QuerySet[RejectionGroup]:
    found = RejectionGroup.objects.filter(last_seen__gte=wanted.range.start, first_seen__lt=wanted.range.end)
    same = {"partner": wanted.partner, "api_key": wanted.key, "code": wanted.code}
    found = found.filter(**{name: value for name, value in same.items() if value is not None})
    return found if wanted.state is None else found.filter(_IN_STATE[wanted.state])


def _counted(range: Range) -> QuerySet[RejectionCount]:
    """Return the counts of a range. Those of an hour count as a whole, by when the hour begins."""
    return RejectionCount.objects.filter(start__gte=range.start, start__lt=range.end)


def _share(number: int, received: int | None) -> float | None:
    return min(1.0, number / received) if received else None


def _received(groups: Iterable[RejectionGroup], range: Range) -> dict[int, int]:
    """Return how many events came in with each key of the groups in the range."""
    keys = {group.api_key_id for group in groups}
    entries = LedgerEntry.objects.filter(
        api_key__in=keys, outcome="received", start__gte=range.start, start__lt=range.end
    )
    return dict(entries.values("api_key").annotate(number=Sum("events")).values_list("api_key", "number"))


def trend(ids: Iterable[int], range: Range) -> Mapping[int, list[int]]:
    """Return the rejections of each group in equal steps of the range: minutes up to 3 hours, hours to 8 days, days."""
    width, cut = _step(range)
    first = _floor(range.start, width)
    found: dict[int, list[int]] = {pk: [0] * len(steps(range)) for pk in ids}
    counted = _counted(range).filter(group__in=found).annotate(step=cut("start"))
    for pk, step, number in counted.values_list("group", "step").annotate(Sum("count")):
        found[pk][(step - first) // width] += number
    return found


def steps(range: Range) -> list[tuple[datetime, datetime]]:
    """Return the steps of `trend`, each from its start until before its end."""
    width, _ = _step(range)
    start, found = _floor(range.start, width), []
    while start < range.end:
        found.append((start, start + width))
        start += width
    return found


def _step(range: Range) -> tuple[timedelta, Any]:
    if range.length <= timedelta(hours=3):
        return timedelta(minutes=1), TruncMinute
    return (timedelta(hours=1), TruncHour) if range.length <= timedelta(days=8) else (timedelta(days=1), TruncDay)


def _floor(moment: datetime, width: timedelta) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // width * width


def builds_of(group: RejectionGroup, range: Range) -> list[dict[str, Any]]:
    """Return the builds that sent with the group's key since the range began, those refused most in it first.

    `refused` are the rejections of the group in the range; `requests` are all that the build ever sent.
    """
    counted = _counted(range).filter(group=group).values("build").annotate(number=Sum("count"))
    refused = dict(counted.values_list("build", "number"))
    seen = Build.objects.filter(Q(pk__in=refused) | Q(api_key=group.api_key_id, last_seen__gte=range.start))
    found = [
        {
            "build": build.user_agent,
            "refused": refused.get(build.pk, 0),
            "requests": build.requests,
            "first_seen": build.first_seen,
            "last_seen": build.last_seen,
        }
        for build in seen.order_by("-last_seen")[:_MAX_BUILDS]
    ]
    return sorted(found, key=lambda build: -build["refused"])


# --- the incident ----------------------------------------------------------------------------------


def incident_of(group: RejectionGroup) -> Incident | None:
    """Return since when, and by which builds, the group's present burst is sent; None if it has no counts any more."""

    def moments(name: str, start: datetime, end: datetime) -> Sequence[datetime]:
        found = Rejection.objects.filter(group=group, received_at__gte=start, received_at__lt=end, **_sent_by(name))
        return list(found.order_by("received_at").values_list("received_at", flat=True)[:_MAX_MOMENTS])

    return incident(_seen_builds(group), moments)


def _sent_by(name: str) -> dict[str, Any]:
    if name == builds.UNKNOWN:
        return {"user_agent__isnull": True}
    return {} if name == builds.OTHER else {"user_agent": "" if name == builds.NONE else name}


def _seen_builds(group: RejectionGroup) -> list[SeenBuild]:
    counts = RejectionCount.objects.filter(group=group, start__gte=group.last_seen - _LOOK_BACK)
    points: dict[int, list[Point]] = defaultdict(list)
    for one in reversed(counts.order_by("-start")[:_MAX_POINTS]):
        points[one.build_id].append(Point(one.start, one.minutes, one.first_seen, one.count))
    sent = Build.objects.filter(Q(pk__in=points) | Q(api_key=group.api_key_id, last_seen__gte=group.first_seen))
    return [
        SeenBuild(build.user_agent, build.first_seen, build.last_seen, build.requests, points[build.pk])
        for build in sent.order_by("-last_seen")[:_MAX_BUILDS]
    ]
