"""What an operator does by hand, as docs/operations.md says."""

import os
import shlex
import subprocess
import sys

from tests.e2e.deployment.samples import sample
from tests.harness.browser import Browser
from tests.harness.collector import manage
from tests.harness.server import ROOT, serve


def test_lost_password_is_set_anew(migrated_database: str) -> None:
    manage(migrated_database, "first_run")
    program, *arguments = shlex.split(sample("sh", having="changepassword"))
    assert program == ".venv/bin/python"
    told = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": migrated_database},
        input="new and long enough\n" * 2,
        capture_output=True,
        text=True,
        check=False,
        # Without a terminal of its own it reads what is typed from its input.
        start_new_session=True,
    )
    assert told.returncode == 0, told.stderr
    with serve(migrated_database) as server:
        Browser(server.url).log_in("admin", "new and long enough")
