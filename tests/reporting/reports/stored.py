"""Events for reports: stored as a sender's are, at moments that a test names."""

from datetime import UTC, datetime, timedelta
from typing import Any

from collect.storage import store
from keys.models import ApiKey
from reporting.ranges import Range
from reporting.reports.answer import Answer
from reporting.reports.question import Question
from tests.harness import factories

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = Range(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


def write(key: ApiKey, *, received_at: datetime = NOON, age: float | None = 1, **fields: Any) -> None:
    """Store an event that was received so many seconds after it happened; None: whose sender named no time."""
    if age is not None:
        fields["timestamp"] = received_at.timestamp() - age
    store.write([factories.arrival(factories.source(key, received_at=received_at), **fields)])


def question(*arguments: str, **fields: Any) -> Question:
    """A question about the day."""
    return Question(DAY, arguments=arguments, **fields)


def rows(answer: Answer, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table, by its name."""
    (found,) = (one for one in answer.tables if one.name == table)
    return [tuple(row) for row in found.rows]
