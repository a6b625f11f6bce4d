"""The unit for systemd, as docs/operations.md shows it: systemd finds nothing wrong with it."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.deployment.samples import placed, sample

HOME = "/srv/thrad_events"


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    # systemd looks whether the programs are there.
    program = tmp_path / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)
    unit = tmp_path / "thrad_events.service"
    unit.write_text(placed(sample("ini", having="[Unit]"), {HOME: str(tmp_path)}))
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    # It looks at the units that this one wants as well, which are the machine's own.
    about = [line for line in (told.stdout + told.stderr).splitlines() if unit.name in line]
    assert (told.returncode, about) == (0, [])
