"""Commands of `manage.py`, run in the process of the test or in one of their own."""

import os
import subprocess
import sys
from io import StringIO

from django.core.management import call_command

from tests.harness.server import ROOT


def run(*args: str) -> tuple[str, str]:
    """Run a command, and return what it wrote to standard output and to standard error."""
    stdout, stderr = StringIO(), StringIO()
    call_command(*args, stdout=stdout, stderr=stderr, no_color=True)
    return stdout.getvalue(), stderr.getvalue()


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `manage.py` in a process of its own, with these settings."""
    return python("manage.py", *arguments, **environment)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the directory of the program, with these settings, until it ends."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
