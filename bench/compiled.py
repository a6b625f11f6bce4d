"""Builds the contestant that is compiled: `bench/peers/collect.go`, from Debian's packages alone.

Without Go, or without its packages (golang-github-jackc-pgx-v4-dev, golang-github-oschwald-maxminddb-golang-dev), the
benchmark leaves it out and says so.
"""

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "peers" / "collect.go"
# Where Debian keeps the sources of packages.
PACKAGES = Path("/usr/share/gocode")
NEEDED = ("jackc/pgx/v4", "oschwald/maxminddb-golang")


def is_possible() -> bool:
    """Tell whether what it needs is there."""
    return shutil.which("go") is not None and all((PACKAGES / "src/github.com" / name).is_dir() for name in NEEDED)


def build(directory: Path) -> str:
    """Compile it into `directory`, and return the path of the program. Raises CalledProcessError where that fails."""
    program = directory / "collect-go"
    settings = {"GO111MODULE": "off", "GOPATH": str(PACKAGES), "GOCACHE": str(directory / "go-cache"), "GOFLAGS": ""}
    subprocess.run(["go", "build", "-o", str(program), str(SOURCE)], env=os.environ | settings, check=True)
    return str(program)
