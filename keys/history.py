"""What happened to each key: who, when, from where. Written once, never changed, deleted by retention only.

The console and the commands write here through `lifecycle`; the workers note which keys have expired, and that an
ended one is still being used (`refusals`).
"""

import getpass
from collections.abc import Sequence
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
    """Whoever runs a command of `manage.py` on this machine."""
    try:
        return Actor(f"{getpass.getuser()} (manage.py)")
    except (KeyError, OSError):  # a user without a name, as in some containers
        return Actor("manage.py")


def record(key: ApiKey, what: KeyChange.What, actor: Actor, detail: str = "") -> None:
    """Write down what happened to `key`; in the transaction of the change itself, where there is one."""
    KeyChange.objects.create(
        key=key, what=what, by=actor.user, by_name=actor.name[:255], address=actor.address, detail=detail
    )


def note_expired() -> None:
    """Write down which keys have expired, each once, at the moment at which it did. Raises `django.db.Error`."""
    noted = KeyChange.objects.filter(key=OuterRef("pk"), what=KeyChange.What.EXPIRED, at=OuterRef("expires_at"))
    expired = ApiKey.objects.filter(~Exists(noted), expires_at__lte=timezone.now(), revoked_at=None)
    KeyChange.objects.bulk_create(
        [
            KeyChange(key_id=pk, what=KeyChange.What.EXPIRED, by_name=SERVER.name, at=expires_at)
            for pk, expires_at in expired.values_list("pk", "expires_at")
            if expires_at is not None
        ],
        # Another worker may have noticed at the same moment.
        ignore_conflicts=True,
    )


def forget(lines: Sequence[int]) -> int:
    """Delete lines that are older than they have to be kept; how many. The one door in the history: retention."""
    # Past the queryset's own refusal, and on purpose.
    return int(models.QuerySet(KeyChange).filter(pk__in=lines).delete()[0])
