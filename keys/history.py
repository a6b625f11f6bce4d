"""The history of each key: what happened to it, who did it, when, and from where.

A line is written once and never changed; only retention deletes it. The console and the commands write here through
`lifecycle`. The workers write which keys have expired, and which denied keys are still being used (`denials`).
"""

import getpass
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone

from keys.models import ApiKey, KeyChange


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a user of the console at an address, a command, or the server itself."""

    name: str
    user: User | None = None
    address: str | None = None


SERVER = Actor("server")


def command() -> Actor:
    """Return the actor for whoever runs a command of `manage.py` on this machine."""
    try:
        return Actor(f"{getpass.getuser()} (manage.py)")
    except (KeyError, OSError):  # a user without a name, as in some containers
        return Actor("manage.py")


def record(key: ApiKey, what: KeyChange.What, actor: Actor, detail: str = "") -> None:
    """Write a line about what happened to `key`. Call it in the transaction of the change itself, if there is one."""
    _line(key, what, actor, detail).save()


def record_each(keys: Iterable[ApiKey], what: KeyChange.What, actor: Actor) -> None:
    """Write a line for each of the keys, as `record` does for one."""
    KeyChange.objects.bulk_create(_line(key, what, actor, "") for key in keys)


def _line(key: ApiKey, what: KeyChange.What, actor: Actor, detail: str) -> KeyChange:
    return KeyChange(key=key, what=what, by=actor.user, by_name=actor.name[:255], address=actor.address, detail=detail)


def note_expired() -> None:
    """Write one line for each key that has expired, dated to that moment, unless the history has it.

    Raises `django.db.Error` where the database fails.
    """
    noted = KeyChange.objects.filter(key=OuterRef("pk"), what=KeyChange.What.EXPIRED, at=OuterRef("expires_at"))
    expired = ApiKey.objects.filter(~Exists(noted), expires_at__lte=timezone.now(), revoked_at=None)
    KeyChange.objects.bulk_create(
        [
            KeyChange(key_id=pk, what=KeyChange.What.EXPIRED, by_name=SERVER.name, at=expires_at)
            for pk, expires_at in expired.values_list("pk", "expires_at")
            if expires_at is not None
        ],
        # Another worker may write the same lines at the same moment.
        ignore_conflicts=True,
    )


def forget(lines: Sequence[int]) -> int:
    """Delete these lines, given by id, and return how many were. Only retention may call this."""
    # A plain queryset, on purpose: the model's own refuses to delete.
    return int(models.QuerySet(KeyChange).filter(pk__in=lines).delete()[0])
