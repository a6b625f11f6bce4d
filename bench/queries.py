"""`python -m bench.queries`: what `where_param` and ranges of time take among many events, and by which plan.

Fills a PostgreSQL of its own as `bench.search` does, asks without an index, makes them, and asks again. Docs:
docs/decisions/0015-indexes-of-params.md.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

from bench.database import Database
from bench.params import BARE, VARIANTS
from bench.search import fill

REPEATS = 7
# The brins of `bench.params`, which take turns.
RANGES = ("brin", "brin, minmax_multi")


def ask(name: str, queryset: Any, *, plan: bool) -> None:
    """Print how long it takes to read the ids of the events, and by which plan PostgreSQL does it."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        rows = len(queryset.values_list("pk"))
        times.append((time.perf_counter() - began) * 1000)
        if times[-1] > 5_000:
            break
    print(f"{name:<64}{rows:>10,} rows{statistics.median(times):>10,.1f} ms", flush=True)
    if plan:
        print(queryset.explain(analyze=True, buffers=True), "\n", flush=True)


def timed(name: str, work: Callable[[], Any]) -> None:
    """Do it, and print how long it took."""
    began = time.perf_counter()
    work()
    print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


def by_params(*, plan: bool) -> None:
    """Ask for values, few and many."""
    from collect.models import Event  # noqa: PLC0415  # Django's settings are known only now

    with_order = Event.objects.where_param("order_id", exists=True).order_by("pk")
    order = with_order.values_list("params__order_id", flat=True)[50_000]
    events = Event.objects.reportable()
    ask(f"order_id eq={order!r}", events.where_param("order_id", eq=order), plan=plan)
    ask("value gt=298 (none)", events.where_param("value", gt=298), plan=plan)
    ask("value eq=290 (one in 300)", events.where_param("value", eq=290), plan=plan)
    ask("value eq=290, the newest 50", events.where_param("value", eq=290).order_by("-pk")[:50], plan=plan)
    newest = Event.objects.latest("received_at").received_at
    day = events.of("bench").between(newest - timedelta(days=1), newest)
    ask("value gte=290, of one partner and day", day.where_param("value", gte=290), plan=plan)


def by_times(*, plan: bool) -> None:
    """Ask for an hour of all partners, by each of the two times."""
    from collect.models import Event  # noqa: PLC0415  # as above

    middle = Event.objects.latest("received_at").received_at - timedelta(days=15)
    ask("between, an hour", Event.objects.between(middle, middle + timedelta(hours=1)), plan=plan)
    ask("happened_between, an hour", Event.objects.happened_between(middle, middle + timedelta(hours=1)), plan=plan)


def measure(database: Database) -> None:
    """Ask without indexes and with them. Django has been set up by now."""
    from django.core.management import call_command  # noqa: PLC0415  # as above

    database.execute(BARE)
    print("\nwithout an index")
    by_params(plan=False)
    by_times(plan=False)
    for key in ("value", "order_id"):
        call_command("index_param", key)
    call_command("index_param", "--list")
    print("\nwith an index of value and one of order_id")
    by_params(plan=True)
    database.execute(*_LATE)
    for name in RANGES:
        (statement,) = VARIANTS[name]
        timed(f"\n{name}", lambda made=statement: database.execute(made.replace("INDEX ON", "INDEX of_times ON")))  # type: ignore[misc]  # a default
        database.execute("VACUUM ANALYZE collect_event")
        print(database.execute("SELECT pg_size_pretty(pg_relation_size('of_times'))")[0][0])
        by_times(plan=True)
        database.execute("DROP INDEX of_times")


# One event in a hundred came up to two days late, as a queue that was stuck sends them.
_LATE = (
    "UPDATE collect_event SET timestamp = received_at - interval '2 days' * random() "
    "WHERE ('x' || right(id::text, 4))::bit(16)::int % 100 = 0",
    "CLUSTER collect_event USING collect_event_pkey",
)


def main() -> None:
    """Fill, and ask."""
    parser = argparse.ArgumentParser(prog="bench.queries", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    with Database.own(STATEMENT_SECONDS="600") as database:
        fill(database, rows)
        django.setup()
        measure(database)


if __name__ == "__main__":
    main()
