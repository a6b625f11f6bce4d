"""All that is said of one group of rejections, as values that JSON knows: for its page and for a terminal."""

from typing import Any

from collect.models import Rejection, RejectionGroup
from reporting import pretty
from reporting.ranges import Range
from reporting.rejections import groups, telling
from reporting.rejections.incidents import Incident, Share
from reporting.rejections.telling import Told


def report(group: RejectionGroup, within: Range, url: str) -> dict[str, Any]:
    """Return what is known of the group, in a range where it is counted. `url` is where its sender's events go."""
    example = Rejection.objects.filter(group=group).order_by("-pk").first()
    told = Told(groups.in_range(group, within), groups.incident_of(group), example, within)
    fields = {} if example is None else example.errors
    return told.row.as_data() | {
        "range": str(within),
        "incident": None if told.incident is None else _incident(told.incident),
        "builds": groups.builds_of(group, within),
        "rules": telling.rules(group, fields),
        "example": None if example is None else _example(example),
        "curl": telling.curl(url, telling.passing(group, fields)),
        "message_for_sender": telling.message(told, url),
    }


def _incident(found: Incident) -> dict[str, Any]:
    return {
        "onset": found.onset,
        "told": telling.when(found),
        "culprits": [_share(one) for one in found.culprits],
        "steady": [_share(one) for one in found.steady],
        "spared": list(found.spared),
        "gone": list(found.gone),
    }


def _share(one: Share) -> dict[str, Any]:
    return {"build": one.build, "count": one.count}


def _example(rejection: Rejection) -> dict[str, Any]:
    return {
        "id": rejection.pk,
        "received_at": rejection.received_at,
        "request_id": rejection.request_id,
        "detail": rejection.detail,
        "user_agent": rejection.user_agent,
        "content_type": rejection.content_type,
        "body": pretty.indented(bytes(rejection.body)),
        "is_cut": rejection.body_size > len(rejection.body),
        "body_size": rejection.body_size,
    }
