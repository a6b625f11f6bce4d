"""The app that takes events."""

from django.apps import AppConfig


class CollectConfig(AppConfig):
    """Events and rejections."""

    name = "collect"
    verbose_name = "Events"

    def ready(self) -> None:
        """Register the system checks."""
        from collect import checks, settings_checks  # noqa: F401, PLC0415  # checks import settings, which are ready only now
