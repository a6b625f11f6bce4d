"""The app that answers what was stored, and what became of what was sent."""

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    """The read side: queries and commands. It changes nothing that is stored."""

    name = "reporting"
    verbose_name = "Reporting"
