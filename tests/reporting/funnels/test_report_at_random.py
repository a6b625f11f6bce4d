"""The report over events at random: each figure against the oracle."""

import json
from collections import defaultdict
from random import Random
from statistics import median_low
from typing import Any
from uuid import uuid4

import pytest

from keys.models import ApiKey
from reporting.funnels import plan as plans
from reporting.funnels.report import funnel
from reporting.reports.question import Question
from tests.harness import factories
from tests.reporting.funnels import oracle
from tests.reporting.funnels.asked import LATER, OVER, Sent, ask, figures, rows, write

pytestmark = pytest.mark.django_db


def some(rng: Random) -> list[Sent]:
    """Events of few actors at few moments, some of them nobody's."""
    people = [("a", "s"), ("a", None), ("b", "s"), (None, "s"), (None, "a"), ("c", "t"), (None, "t"), (None, None)]
    return [
        Sent(rng.randrange(-2, 20) * 4, rng.choice(("view", "add", "order", "other")), *rng.choice(people),
             event_id=rng.choice((None, str(uuid4()))), received=rng.random() * 1_000)
        for _ in range(rng.randrange(5, 45))
    ]  # fmt: skip


def expected(sent: dict[str, list[Sent]], of: plans.Plan) -> list[oracle.Line]:
    actors: dict[Any, list[oracle.Seen]] = defaultdict(list)
    for partner, events in sent.items():
        for one in events:
            if who := (("client", one.client) if one.client else ("session", one.session) if one.session else None):
                actors[partner, who].append((one.at, one.name))
    return oracle.lines(list(actors.values()), of)


@pytest.mark.parametrize("seed", range(12))
def test_report_is_that_of_the_oracle(seed: int) -> None:
    rng = Random(seed)
    steps = rng.choice((["view", "order"], ["view", "add", "order"], ["view|add", "add", "order"], ["add", "add|view"]))
    question = Question(OVER, arguments=steps, options={"window": rng.choice(("4h", "12h", "3d"))})
    sent = {name: some(rng) for name in ("acme", "other")}
    for name, events in sent.items():
        write(factories.key(factories.partner(name))[0], *events)
    found = rows(funnel(question, LATER))
    lines = expected(sent, plans.plan_of(question))
    assert [(row["actors"], row["after_range_end"]) for row in found] == [(one.actors, one.after_end) for one in lines]
    for row, line in list(zip(found, lines, strict=True))[1:]:
        assert row["median_seconds_from_first"] == (median_low(line.from_first) if line.actors else None)
        assert row["median_seconds_from_previous"] == (median_low(line.from_previous) if line.actors else None)
    actors = [row["actors"] for row in found]
    assert actors == sorted(actors, reverse=True)
    assert actors[0] > 0
    assert json.dumps(found)


def test_events_of_another_actor_or_name_change_nothing_else(key: ApiKey) -> None:
    write(key, *some(Random(99)))
    before = rows(ask("view,add,order"))
    write(key, *(Sent(hour, "nothing", "a", "s") for hour in range(20)))
    assert rows(ask("view,add,order")) == before
    write(key, Sent(1, "view", "new"), Sent(2, "add", "new"))
    counts = [row["actors"] for row in before]
    assert figures(ask("view,add,order")) == [counts[0] + 1, counts[1] + 1, counts[2]]
