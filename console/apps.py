"""The app that people look at: the admin's pages, and what they say of keys, events and refusals."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The console. It has no tables of its own."""

    name = "console"
    verbose_name = "Console"
