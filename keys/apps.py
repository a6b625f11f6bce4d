"""The app that knows who may send events."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    """Partners and their API keys."""

    name = "keys"
    verbose_name = "Keys"

    def ready(self) -> None:
        """Register the system checks."""
        from keys import checks  # noqa: F401, PLC0415  # checks import settings, which are ready only now
