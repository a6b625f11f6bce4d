"""Says what is wrong with the settings: before a server or one of its workers starts, and when a command fails."""

import os

from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error

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


def of_failure(error: Error) -> str:
    """Return what to tell of a database that a command could not use, with the setting that says where it is."""
    database = settings.DATABASES["default"]
    place = f"{database['NAME']} at {database['HOST']}" if database.get("HOST") else database["NAME"]
    name = "DATABASE_URL" if settings.DATABASE_URL else "VAR_DIR"
    return f"The database {place} cannot be used: {str(error).strip()}\nIs it running, and {name} right?"
