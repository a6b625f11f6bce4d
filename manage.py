#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import Error

from runtime import environment, failures

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "thrad_events.settings")
    # A migration or a backfill may take as long as it takes; the server's bound is in the settings.
    environment.is_command = True
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # Said in words that name the setting (runtime/environment.py); where it was read tells nothing more.
        sys.exit(str(error))
    except Error as error:
        if (words := failures.in_words(error)) is None:
            raise
        sys.exit(words)
