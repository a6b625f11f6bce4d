"""`manage.py first_run`: creates what a new server needs to be used. `make run` calls it at every start.

It must never touch a server that has a partner or a user, and never show a secret a second time.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import IntegrityError, transaction

from keys import history, lifecycle
from keys.models import ApiKey, Partner
from runtime import environment

PARTNER = "demo"
USERNAME = "admin"

FIRST = """\
The first run. The key and the password are shown this once:

API key   {raw_key} of partner {partner}
Console   user {username}, password {password}

Send an event, from another terminal:

curl -i -X POST {address}/api/collect \\
  -H "Authorization: Bearer {raw_key}" \\
  -H "Content-Type: application/json" \\
  -d '{{
    "tag_id":     "demo",
    "event_name": "items_added",
    "event_id":   "evt_42",
    "timestamp":  1748275200,
    "click_id":   "clk_xyz",
    "session_id": "sess_abc",
    "params": {{
      "content_id": "sku_123",
      "quantity": 2,
      "value": 58.00,
      "currency": "USD"
    }}
  }}'
"""

PLACES = """\
Events    {address}/api/collect
Console   {address}/admin/
API docs  {address}/api/docs
"""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that the first run made, which nobody can look up later."""

    raw_key: str
    password: str


class Command(BaseCommand):
    """Creates the first partner, key and user, and says where the server is."""

    help = "On a server without partners and users: create some and print their secrets, this once."
    # `make run` has just called `migrate`, which has printed what the checks found.
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Make what a new server needs, if this one is new; print its secrets and the server's addresses."""
        address = serving_address()
        if made := _make_once():
            words = {"raw_key": made.raw_key, "password": made.password}
            self.stdout.write(FIRST.format(partner=PARTNER, username=USERNAME, address=address, **words))
        self.stdout.write(PLACES.format(address=address))


def _make_once() -> Secrets | None:
    """Make the first partner, key and user, all or none. Return None if this is not the first run."""
    try:
        with transaction.atomic():
            return _make() if _is_untouched() else None
    except IntegrityError:
        # Another first run at the same moment: the partner's unique name lets only one of them succeed.
        return None


def _is_untouched() -> bool:
    return not (Partner.objects.exists() or get_user_model()._default_manager.exists())


def _make() -> Secrets:
    key = ApiKey(partner=Partner.objects.create(name=PARTNER), label="first run")
    password = secrets.token_urlsafe(16)
    made = Secrets(lifecycle.issue(key, history.command()), password)
    get_user_model().objects.create_superuser(USERNAME, password=password)
    return made


def serving_address() -> str:
    """Return the URL at which a client on this machine finds the server, by gunicorn's settings."""
    # These mean all addresses of the machine, which is not an address that a client can be given.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.HOST, settings.HOST)  # noqa: S104
    return f"http://{environment.bracketed(host)}:{settings.PORT}"
