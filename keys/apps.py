"""The app that knows who may send events."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    """Partners and their API keys."""

    name = "keys"
    verbose_name = "Keys"
