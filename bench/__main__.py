"""`python -m bench`: every contestant on this machine, in interleaved rounds, and what came of it.

Writes bench/results.json and prints a table. `--against` compares this version with an earlier one and writes nothing.
`--sqlite` measures ours on SQLite; `--growth` how the cost of a row grows with the table; `--full` adds ten million
rows, and a worker's memory over a million events.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import sysconfig
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import against, compiled, copy, full, growth, paced
from bench.database import POSTGRES, Database
from bench.load import load
from bench.servers import CONTESTANTS, serve
from tests.harness import mmdb
from tests.harness.postgres import Postgres

# What the table shows of a contestant besides its rate; µs are of processor time, for an event.
FIGURES = {
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "cpu_us_per_event": "server µs",
    "postgres_us_per_event": "PostgreSQL µs",
    "load_us_per_event": "load µs",
}
PACKAGES = (
    "django",
    "djangorestframework",
    "gunicorn",
    "gevent",
    "psycopg",
    "msgspec",
    "fastapi",
    "asyncpg",
    "uvicorn",
)


def measure(
    arguments: argparse.Namespace, database: Database, environment: dict[str, str]
) -> dict[str, list[dict[str, float]]]:
    """The rounds of every contestant, interleaved, so that a drift of the machine meets all alike."""
    rounds: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    for number in range(arguments.rounds):
        for name in arguments.only:
            if name == "copy":
                rounds[name].append(copy.measure(database, arguments.copy_rows))
            else:
                rounds[name].append(load(CONTESTANTS[name], database, environment, arguments.seconds))
            figure = rounds[name][-1]["events_per_second"]
            print(f"round {number + 1}  {name:<12}{figure:>10,.0f} events/s", flush=True)
    return dict(rounds)


def half_load(database: Database, environment: dict[str, str], full_rate: float, rounds: int) -> list[dict[str, float]]:
    """The spread of latencies of `collect` at half of its most."""
    measured = []
    with serve(CONTESTANTS["collect"], environment) as server:
        for _ in range(rounds):
            database.empty()
            paced.run(server.host, server.port, database.raw_key, rate=full_rate / 4, seconds=2)
            one = paced.run(server.host, server.port, database.raw_key, rate=full_rate / 2, seconds=8)
            measured.append({**one, "p99_vs_p50": one["p99_ms"] / one["p50_ms"]})
    return measured


def median(rounds: list[dict[str, float]], figure: str = "events_per_second") -> float:
    return statistics.median(one[figure] for one in rounds)


def ratios(rounds: dict[str, list[dict[str, float]]], spread: list[dict[str, float]]) -> dict[str, float]:
    """The figures to hold the project to; of the contestants that ran."""
    pairs = {f"collect_vs_{peer}": ("collect", peer) for peer in ("fastapi", "go", "textbook", "noop", "noop_short")}
    pairs["batch_vs_copy"] = ("batch", "copy")
    found = {
        name: median(rounds[ours]) / median(rounds[theirs])
        for name, (ours, theirs) in pairs.items()
        if ours in rounds and theirs in rounds
    }
    if spread:
        found["p99_vs_p50_at_half_load"] = median(spread, "p99_vs_p50")
    return found


def machine() -> dict[str, object]:
    options = str(sysconfig.get_config_var("CONFIG_ARGS"))
    return {
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        # Python is slower if it was built without a profile. Debian's options do not tell.
        "python_build": " ".join([*platform.python_build(), platform.python_compiler()]),
        "python_says_it_has_a_profile": "--enable-optimizations" in options,
        "packages": {name: version(name) for name in PACKAGES},
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8, help="of load in a round")
    parser.add_argument("--copy-rows", type=int, default=200_000)
    parser.add_argument("--only", nargs="+", choices=[*CONTESTANTS, "copy"])
    parser.add_argument("--sqlite", action="store_true", help="ours alone, on SQLite")
    parser.add_argument("--against", metavar="REVISION", help="ours and that revision of git, and nothing else")
    parser.add_argument("--growth", action="store_true", help="a row's cost at 1, 10 and 50 million rows, and no more")
    parser.add_argument("--sizes", nargs="+", type=int, default=growth.SIZES, metavar="ROWS", help="of --growth")
    parser.add_argument("--full", action="store_true", help="also ten million rows, and memory over a million events")
    parsed = parser.parse_args()
    parsed.only = parsed.only or (["collect", "batch"] if parsed.sqlite or parsed.against else [*CONTESTANTS, "copy"])
    if "go" in parsed.only and not compiled.is_possible():
        print(f"without the contestant `go`: {compiled.__doc__}", file=sys.stderr)
        parsed.only.remove("go")
    return parsed


def run(parsed: argparse.Namespace, database: Database, environment: dict[str, str]) -> dict[str, object]:
    rounds = measure(parsed, database, environment)
    spread = []
    if "collect" in rounds:
        spread = half_load(database, environment, median(rounds["collect"]), parsed.rounds)
    found = ratios(rounds, spread)
    raw: dict[str, object] = {"rounds": rounds, "half_load": spread}
    if parsed.full:
        more, raw["full"] = full.measure(database, environment, parsed)
        found |= more
    return {"ratios": found, "database": database.describe(), "machine": machine(), **raw}


def main() -> int:
    if shutil.which("wrk") is None:
        print("wrk is missing: apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS)", file=sys.stderr)
        return 2
    parsed = arguments()
    with ExitStack() as opened:
        directory = opened.enter_context(tempfile.TemporaryDirectory())
        # The parent of PostgreSQL's own user and of the servers' one: both have to get in.
        os.chmod(directory, 0o755)
        if "go" in parsed.only:
            CONTESTANTS["go"] = replace(CONTESTANTS["go"], command=(compiled.build(Path(directory)),))
        city = str(mmdb.write_city(Path(directory) / "city.mmdb"))
        environment = {"GEOIP_PATH": city, "ENV_FILE": os.devnull, "SECRET_KEY": "bench", "LOG_LEVEL": "WARNING"}
        if parsed.growth:
            write("results-growth.json", {"growth": growth.measure(parsed, environment), "machine": machine()})
            return 0
        if parsed.sqlite:
            database = Database.sqlite(Path(directory) / "bench.sqlite3", environment)
        else:
            database = Database.postgresql(opened.enter_context(Postgres(POSTGRES)).create("bench"), environment)
        if parsed.against:
            before = against.unpack(parsed.against, Path(directory))
            rounds = (parsed.rounds, parsed.seconds)
            against.report(against.measure(before, parsed.only, database, environment, *rounds))
            return 0
        results = run(parsed, database, environment)
    write("results-sqlite.json" if parsed.sqlite else "results.json", results)
    report(results)
    return 0


def write(name: str, results: dict[str, Any]) -> None:
    """Keep the raw figures beside this file."""
    (Path(__file__).resolve().parent / name).write_text(json.dumps(results, indent=2, default=str) + "\n")


def report(results: dict[str, Any]) -> None:
    print(f"\n{'contestant':<12}{'events/s':>12}" + "".join(f"{title:>14}" for title in FIGURES.values()))
    for name, rounds in results["rounds"].items():
        figures = "".join(
            f"{median(rounds, figure):>14.1f}" if figure in rounds[0] else f"{'':>14}" for figure in FIGURES
        )
        print(f"{name:<12}{median(rounds):>12,.0f}{figures}")
    print()
    for name, ratio in results["ratios"].items():
        print(f"{name:<34}{ratio:>8.2f}")


if __name__ == "__main__":
    sys.exit(main())
