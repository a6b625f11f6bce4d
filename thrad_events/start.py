"""Says what is wrong with the settings, before a server or one of its workers starts."""

import os

from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from runtime.environment import TAG


def refuse_unusable_settings() -> None:
    """Raise ImproperlyConfigured with what is wrong with the settings, if anything is.

    Needs no more of Django than its settings.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "thrad_events.settings")
    from collect import settings_checks  # noqa: F401, PLC0415  # they register themselves
    from keys import checks  # noqa: F401, PLC0415

    if errors := [found for found in run_checks(tags=[TAG]) if found.is_serious()]:
        raise ImproperlyConfigured(" ".join(f"{error.msg}. {error.hint}" for error in errors))
