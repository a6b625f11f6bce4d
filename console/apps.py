"""The app that people look at: the admin's pages, with keys, events and rejections."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The console. It has no tables of its own."""

    name = "console"
    verbose_name = "Console"
