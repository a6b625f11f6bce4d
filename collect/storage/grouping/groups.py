"""Which rejections have one cause: they are a group, which counts them all, minute by minute and build by build."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from collect.models import RejectionCount, RejectionGroup
from collect.models.rejection import MAX_FOLDED
from collect.storage.grouping import additive, builds

# Groups that a key may begin in a day; further rejections go to one group for each code.
MAX_NEW_A_DAY = 200
OTHER = "other messages"
# Fields that a path names; more of them are told by their number.
_FIELDS_NAMED = 4
# What varies in what senders are told: the place of a fault, the tag that a key may not send for, and quoted text.
_VARYING = (
    (re.compile(r"\(byte \d+\)"), "(byte …)"),
    (re.compile(r"(?<=may not send for the tag ).*", re.DOTALL), "…"),
    (re.compile(r'"[^"]*"'), '"…"'),
)
_INDEX = re.compile(r"\[\d+\]")


class Sighting(NamedTuple):
    """One rejection as its group sees it: of which key, why, from which build, and when it came in."""

    partner_id: int
    api_key_id: int
    code: str
    path: str
    message: str
    build: str
    at: datetime

    @property
    def digest(self) -> str:
        """What identifies the group."""
        cause = [self.api_key_id, self.code, self.path, self.message]
        return hashlib.sha256(json.dumps(cause).encode()).hexdigest()


def path(errors: Mapping[str, object]) -> str:
    """Return the fields at fault in one text: sorted, each once, with the indexes of arrays left out."""
    fields = sorted({_INDEX.sub("[]", name) for name in errors})
    more = len(fields) - _FIELDS_NAMED
    return (", ".join(fields[:_FIELDS_NAMED]) + (f" and {more} more" if more > 0 else ""))[:MAX_FOLDED]


def message(detail: str) -> str:
    """Return what a sender was told without what varies, so that it is the same text for one cause."""
    for pattern, fold in _VARYING:
        detail = pattern.sub(fold, detail)
    return detail[:MAX_FOLDED]


def add(sightings: Sequence[Sighting]) -> list[int]:
    """Count the rejections by group, minute and build; return the id of each one's group, in their order.

    Call it inside the transaction that keeps them, with the tallies of their keys locked. Raises `django.db.Error`.
    """
    grouped = _within_bounds(sightings)
    digests = [sighting.digest for sighting in grouped]
    rows: dict[str, dict[str, Any]] = {}
    for digest, sighting in zip(digests, grouped, strict=True):
        _count(rows, digest, sighting)
    how = additive.COUNTED | {"last_seen": additive.LATEST}
    ids: dict[str, int] = dict(additive.add(RejectionGroup, list(rows.values()), ("digest",), how))
    found = [ids[digest] for digest in digests]
    _count_minutes(grouped, found)
    return found


def resolve(group_id: int, by: str) -> None:
    """Call the group resolved from now on; it is regressed once it is seen again. Raises `django.db.Error`."""
    RejectionGroup.objects.filter(pk=group_id).update(resolved_at=datetime.now(UTC), resolved_by=by[:150])


def reopen(group_id: int) -> None:
    """Call the group open again. Raises `django.db.Error`."""
    RejectionGroup.objects.filter(pk=group_id).update(resolved_at=None, resolved_by="")


def _count(rows: dict[str, dict[str, Any]], digest: str, sighting: Sighting) -> None:
    row = rows.get(digest)
    if row is None:
        row = rows[digest] = {
            "partner": sighting.partner_id, "api_key": sighting.api_key_id, "code": sighting.code,
            "path": sighting.path, "message": sighting.message, "digest": digest, "resolved_by": "",
            "first_seen": sighting.at, "last_seen": sighting.at, "count": 0,
        }  # fmt: skip
    row["first_seen"], row["last_seen"] = min(row["first_seen"], sighting.at), max(row["last_seen"], sighting.at)
    row["count"] += 1


def _within_bounds(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Return the sightings; where a key would begin too many groups in a day, as those of the group for the rest."""
    digests = {sighting.digest for sighting in sightings}
    known = set(RejectionGroup.objects.filter(digest__in=digests).values_list("digest", flat=True))
    left: dict[int, int] = {}
    for sighting in sightings:
        key, digest = sighting.api_key_id, sighting.digest
        if digest in known:
            continue
        if key not in left:
            begun = RejectionGroup.objects.filter(api_key=key, first_seen__gt=sighting.at - timedelta(days=1))
            left[key] = MAX_NEW_A_DAY - begun.count()
        if left[key] > 0:
            left[key] -= 1
            known.add(digest)
    return [one if one.digest in known else one._replace(path="", message=OTHER) for one in sightings]


def _count_minutes(sightings: Sequence[Sighting], group_ids: Sequence[int]) -> None:
    firsts: dict[tuple[int, str], datetime] = {}
    for sighting in sightings:
        firsts.setdefault((sighting.api_key_id, sighting.build), sighting.at)
    build_ids = builds.ids(firsts)
    rows: dict[tuple[int, int, datetime], dict[str, Any]] = {}
    for sighting, group_id in zip(sightings, group_ids, strict=True):
        build_id = build_ids[sighting.api_key_id, sighting.build]
        start = sighting.at.replace(second=0, microsecond=0)
        row = rows.setdefault(
            (group_id, build_id, start),
            {"group": group_id, "build": build_id, "start": start, "minutes": 1, "first_seen": sighting.at, "count": 0},
        )
        row["first_seen"] = min(row["first_seen"], sighting.at)
        row["count"] += 1
    unique = ("group", "start", "minutes", "build")
    additive.add(RejectionCount, list(rows.values()), unique, additive.COUNTED)
