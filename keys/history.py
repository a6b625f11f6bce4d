"""What happened to each key: who, when, from where. Written once, and never changed or deleted.

The console and the commands write here through `lifecycle`; the workers note what they see of expired and revoked
keys through `housekeeping`.
"""

import getpass
from dataclasses import dataclass

from django.contrib.auth.models import User

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
