"""What becomes of groups as time goes by: minutes are folded into hours, silent groups resolved, old ones forgotten."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, ExpressionWrapper, F, OuterRef, Q
from django.db.models.fields import DateTimeField

from collect.models import Build, RejectionCount, RejectionGroup
from collect.storage.grouping import additive

# Minutes are folded when they are this old. Later ones, which waited in a spool, are looked for up to this age.
FOLDED, LOOKED_FOR = timedelta(days=2), timedelta(days=60)
# A group of which nothing came for so long, while its key went on sending, is resolved.
SILENCE = timedelta(days=1)
_HOUR = timedelta(hours=1)


def look_after(now: datetime) -> None:
    """Fold what is old, and resolve what is silent. Raises `django.db.Error`."""
    while fold(now - FOLDED):
        pass
    resolve_silent(now)


def fold(before: datetime) -> int:
    """Make counts of an hour from those of its minutes, for one hour that ends at `before` or earlier.

    Return the number of counts that were folded, 0 where there are none. Raises `django.db.Error`.
    """
    end = before.replace(minute=0, second=0, microsecond=0)
    minutes = RejectionCount.objects.filter(minutes=1)
    oldest = minutes.filter(start__gte=end - LOOKED_FOR, start__lt=end).order_by("start").first()
    if oldest is None:
        return 0
    hour = oldest.start.replace(minute=0)
    with transaction.atomic():
        # Another process that folds the same hour waits here, and then finds nothing.
        found = list(minutes.filter(start__gte=hour, start__lt=hour + _HOUR).order_by("pk").select_for_update())
        additive.add(RejectionCount, _by_hour(found, hour), ("group", "start", "minutes", "build"), additive.COUNTED)
        RejectionCount.objects.filter(pk__in=[row.pk for row in found]).delete()
    return len(found)


def _by_hour(minutes: list[RejectionCount], hour: datetime) -> list[dict[str, Any]]:
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for one in minutes:
        row = rows.setdefault(
            (one.group_id, one.build_id),
            {"group": one.group_id, "build": one.build_id, "start": hour, "minutes": 60,
             "first_seen": one.first_seen, "count": 0},
        )  # fmt: skip
        row["first_seen"] = min(row["first_seen"], one.first_seen)
        row["count"] += one.count
    return list(rows.values())


def resolve_silent(now: datetime) -> int:
    """Resolve the groups of which nothing came for a day while their key went on sending; return how many.

    Raises `django.db.Error`.
    """
    end_of_silence = ExpressionWrapper(OuterRef("last_seen") + SILENCE, output_field=DateTimeField())
    went_on = Build.objects.filter(api_key=OuterRef("api_key"), last_seen__gte=end_of_silence)
    is_open = Q(resolved_at__isnull=True) | Q(last_seen__gt=F("resolved_at"))
    silent = RejectionGroup.objects.filter(is_open, Exists(went_on), last_seen__lt=now - SILENCE)
    return silent.update(resolved_at=now, resolved_by="")
