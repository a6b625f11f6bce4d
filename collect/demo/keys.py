"""The demo's partners and their keys, with the past that they are said to have."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from collect.demo.profiles import PROFILES, KeyPlan
from keys import history, lifecycle
from keys.models import ApiKey, KeyChange, Partner


@dataclass(frozen=True, slots=True)
class Issued:
    """A key of the demo and, this once, its raw form."""

    key: ApiKey
    raw_key: str


def issue_all(until: datetime) -> dict[tuple[str, str], Issued]:
    """Make the partners that are missing, and their keys; return these by the partner's name and the key's label."""
    issued = {}
    for profile in PROFILES:
        partner, _ = Partner.objects.get_or_create(name=profile.name)
        for plan in profile.keys:
            issued[profile.name, plan.label] = _issue(partner, plan, until)
    return issued


def _issue(partner: Partner, plan: KeyPlan, until: datetime) -> Issued:
    key = ApiKey(partner=partner, label=plan.label, is_test=plan.is_test, created_at=until - plan.age)
    if plan.left is not None:
        key.expires_at = until + plan.left
    raw_key = lifecycle.issue(key, history.command())
    _date(key, KeyChange.What.ISSUED, key.created_at)
    if plan.revoked is not None:
        lifecycle.revoke(key, history.command())
        ApiKey.objects.filter(pk=key.pk).update(revoked_at=until - plan.revoked)
        _date(key, KeyChange.What.REVOKED, until - plan.revoked)
    return Issued(key, raw_key)


def _date(key: ApiKey, what: KeyChange.What, at: datetime) -> None:
    """Move a line of the history to where the demo has it. A plain queryset: the model's own refuses to change one."""
    QuerySet(KeyChange).filter(key=key, what=what).update(at=at)


def note_knocks(key: ApiKey, moments: list[datetime], address: str) -> None:
    """Write that a revoked key was used at these moments, as the server does: at most one line an hour."""
    hours = {moment.replace(minute=0, second=0, microsecond=0): moment for moment in reversed(moments)}
    KeyChange.objects.bulk_create(
        KeyChange(
            key=key, at=moment, what=KeyChange.What.REFUSED, by_name="sender", address=address, detail=str(key.state)
        )
        for moment in sorted(hours.values())
    )


def note_use(last: dict[int, datetime]) -> None:
    """Write when each key, given by its id, was last used."""
    ApiKey.objects.bulk_update([ApiKey(pk=pk, last_used_at=at) for pk, at in last.items()], ["last_used_at"])
