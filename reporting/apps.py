"""The app that answers what was stored, and what became of what was sent."""

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    """The read side: views, queries, counts and commands. It changes no event."""

    name = "reporting"
    verbose_name = "Reporting"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Keep the counts of events that are pruned, and no answer that may show an erased one."""
        from reporting.rollups import pruned  # noqa: PLC0415  # models are there only now
        from reporting.runs import erased  # noqa: PLC0415

        pruned.connect()
        erased.connect()
