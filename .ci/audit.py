"""Ask for published advisories about what is installed, and tell no answer apart from a good one.

pip-audit calls a package that its index does not tell about "skipped" and ends well: by its exit status alone
a machine that cannot reach the advisories would pass for one without any.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SECONDS = 600
REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"

Findings = list[dict[str, Any]]


def ask(*arguments: str) -> Findings:
    """One finding per package. Raises RuntimeError where pip-audit has none to give."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner=off", "--format=json", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)  # noqa: S603
    try:
        findings: Findings = json.loads(told.stdout)["dependencies"]
    except (ValueError, KeyError):
        lines = told.stderr.strip().splitlines() or ["pip-audit said nothing"]
        raise RuntimeError(lines[-1]) from None
    return findings


def ask_of_one() -> Findings:
    """The same of the first requirement alone: a source that does not know it is no source of advisories."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as one:
        one.write(REQUIREMENTS.read_text().splitlines()[0])
        one.flush()
        return ask("--no-deps", "--disable-pip", "--requirement", one.name)


def report(findings: Findings) -> int:
    """Say what was found; the number of packages with advisories."""
    faulty = [finding for finding in findings if finding.get("vulns")]
    for finding in faulty:
        ids = ", ".join(advisory["id"] for advisory in finding["vulns"])
        say(f"{finding['name']} {finding['version']}: {ids}")
    unknown = [finding["name"] for finding in findings if "skip_reason" in finding]
    if unknown:
        say(f"NOT ASKED about {', '.join(unknown)}: the index does not tell")
    say(f"{len(findings) - len(unknown)} packages asked about, {len(faulty)} with advisories")
    return len(faulty)


def say(line: str) -> None:
    """Print, under the name of this check."""
    sys.stdout.write(f"audit: {line}\n")


def main() -> int:
    """1 where there are advisories; 0 where there are none or nobody could be asked, which is then said."""
    try:
        if "skip_reason" in (probe := ask_of_one()[0]):
            raise RuntimeError(probe["skip_reason"])
        return 1 if report(ask("--local")) else 0
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        say(f"COULD NOT ASK, nothing is known about advisories: {error}")
        return 0


if __name__ == "__main__":
    sys.exit(main())
