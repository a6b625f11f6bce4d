"""A round of load by wrk, and the count of what it left in the database."""

import json
import os
import resource
import subprocess

from bench.database import Database
from bench.servers import ROOT, Contestant, Running, serve


def load(contestant: Contestant, database: Database, environment: dict[str, str], seconds: int) -> dict[str, float]:
    """One round: start, warm up, load, and count what was stored. Raises RuntimeError where an answer was not a 2xx."""
    database.empty()
    with serve(contestant, environment) as server:
        wrk(server.url, contestant, database.raw_key, 2)
        before, start = database.count(), _cpu(server, database)
        result = wrk(server.url, contestant, database.raw_key, seconds)
        taken = {name: end - start[name] for name, end in _cpu(server, database).items()}
    events = result["requests"] * contestant.events_per_request
    result["events_per_second"] = events / result["seconds"]
    # These hold on a busy machine, on which the rate does not.
    result |= {name: cpu / events * 1e6 for name, cpu in taken.items()}
    if contestant.stores:
        stored = database.count() - before
        slack = contestant.connections * contestant.events_per_request
        expected = result["requests"] * contestant.events_per_request
        if not expected - slack <= stored <= expected + 2 * slack:
            raise RuntimeError(f"{contestant.name} answered for {expected} events and stored {stored}")
    if result["errors"]:
        raise RuntimeError(f"{contestant.name} gave {result['errors']:.0f} answers that were not 2xx")
    return result


def _cpu(server: Running, database: Database) -> dict[str, float]:
    """The processor time, in seconds, of the server, of PostgreSQL and of the load, by the names of the results."""
    load = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "cpu_us_per_event": server.cpu_seconds(),
        "postgres_us_per_event": database.cpu_seconds(),
        "load_us_per_event": load.ru_utime + load.ru_stime,
    }


def wrk(url: str, contestant: Contestant, raw_key: str, seconds: int) -> dict[str, float]:
    command = ["wrk", "-t1", f"-c{contestant.connections}", f"-d{seconds}s", "--timeout", "30s", "-s", "bench/post.lua"]
    settings = os.environ | {"BENCH_KEY": raw_key, "BENCH_EVENTS": str(contestant.events_per_request)}
    settings["BENCH_PREFIX"] = contestant.prefix
    run = subprocess.run([*command, url], cwd=ROOT, env=settings, capture_output=True, text=True, check=True)
    line = next(line for line in run.stdout.splitlines() if line.startswith("RESULT "))
    return dict(json.loads(line.removeprefix("RESULT ")))
