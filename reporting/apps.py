"""The app that answers what was stored, and what became of what was sent."""

from typing import Any

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    """The read side: views, queries, counts and commands. It changes no event."""

    name = "reporting"
    verbose_name = "Reporting"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Keep the counts of events that are pruned."""
        from collect.storage.removal import removing  # noqa: PLC0415  # models are there only now

        removing.connect(_keep_counts, dispatch_uid="reporting")


def _keep_counts(ids: Any, why: Any, **_sent: Any) -> None:
    from collect.storage.ledger.tally import Endpoint  # noqa: PLC0415  # as above
    from reporting.rollups import counting  # noqa: PLC0415

    if why == Endpoint.PRUNE:
        counting.freeze(ids)
