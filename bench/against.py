"""An earlier version of the program beside this one, in interleaved rounds: what a change costs."""

import io
import statistics
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.database import Database
from bench.load import load
from bench.servers import CONTESTANTS, ROOT

FIGURES = ("events_per_second", "cpu_us_per_event")


def unpack(revision: str, directory: Path) -> Path:
    """Put the program as it was at a revision of git into the directory, and return where it is.

    Raises CalledProcessError where git does not know the revision.
    """
    command = ["git", "archive", "--format=tar", revision]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    target = directory / "before"
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(target, filter="data")
    return target


def measure(
    before: Path, names: Sequence[str], database: Database, environment: dict[str, str], rounds: int, seconds: int
) -> dict[str, dict[str, float]]:
    """Return the ratios of now to before: for each contestant and figure the median of the rounds, and its range.

    The two run on one database, which has the tables of now.
    """
    ratios: dict[str, list[float]] = {f"{name} {figure}": [] for name in names for figure in FIGURES}
    for number in range(rounds):
        for name in names:
            versions = {"before": replace(CONTESTANTS[name], root=before), "now": CONTESTANTS[name]}
            # Whoever comes second finds a warmer machine: they take turns.
            order = sorted(versions, reverse=bool(number % 2))
            found = {which: load(versions[which], database, environment, seconds) for which in order}
            for figure in FIGURES:
                ratios[f"{name} {figure}"].append(found["now"][figure] / found["before"][figure])
            told = "  ".join(f"{which} {found[which][FIGURES[0]]:>8,.0f}/s {found[which][FIGURES[1]]:>6.1f} µs"
                             for which in ("before", "now"))  # fmt: skip
            print(f"round {number + 1}  {name:<8}{told}", flush=True)
    return {
        name: {"median": statistics.median(values), "min": min(values), "max": max(values)}
        for name, values in ratios.items()
    }


def report(ratios: dict[str, dict[str, float]]) -> None:
    """Print the ratios as a table."""
    print(f"\n{'now / before':<28}{'median':>8}{'min':>8}{'max':>8}")
    for name, found in ratios.items():
        print(f"{name:<28}{found['median']:>8.3f}{found['min']:>8.3f}{found['max']:>8.3f}")
