"""Commands of `manage.py`, run in the process of the test."""

from io import StringIO

from django.core.management import call_command


def run(*args: str) -> tuple[str, str]:
    """Run a command, and return what it wrote to standard output and to standard error."""
    stdout, stderr = StringIO(), StringIO()
    call_command(*args, stdout=stdout, stderr=stderr, no_color=True)
    return stdout.getvalue(), stderr.getvalue()
