"""The app that knows who may send events."""

from django.apps import AppConfig

from keys import crypto
from runtime import request_id


class KeysConfig(AppConfig):
    """Partners and their API keys."""

    name = "keys"
    verbose_name = "Keys"

    def ready(self) -> None:
        """Register the system checks, and keep keys out of the ids of requests."""
        from keys import checks  # noqa: F401, PLC0415  # checks import settings, which are ready only now

        request_id.SECRETS.append(crypto.SECRET)
