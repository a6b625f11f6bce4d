"""Events of a funnel in the database, and its answer as rows."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from collect.storage import store
from keys.models import ApiKey
from reporting.funnels.report import funnel
from reporting.ranges import Range
from reporting.reports.answer import Answer
from reporting.reports.question import Question
from tests.harness import factories

START = datetime(2026, 10, 1, tzinfo=UTC)
OVER = Range(START, START + timedelta(days=2))
LATER = START + timedelta(days=60)


@dataclass(frozen=True)
class Sent:
    """An event: its hour, in minutes and seconds where it has to be, and who did it."""

    hours: float
    name: str
    client: str | None = None
    session: str | None = None
    event_id: str | None = None
    tag: str = "shop"
    received: float = 0.0

    @property
    def at(self) -> datetime:
        return START + timedelta(hours=self.hours)


def write(key: ApiKey, *sent: Sent) -> None:
    store.write(
        [
            factories.arrival(
                factories.source(key, received_at=LATER + timedelta(seconds=one.received)),
                event_name=one.name, timestamp=one.at.timestamp(), tag_id=one.tag, event_id=one.event_id,
                client_id=one.client, session_id=one.session,
            )
            for one in sent
        ]
    )  # fmt: skip


def ask(*arguments: str, now: datetime = LATER, **fields: Any) -> Answer:
    return funnel(Question(OVER, arguments=arguments, **fields), now)


def rows(answer: Answer) -> list[dict[str, Any]]:
    table = answer.tables[0]
    return [dict(zip([column.name for column in table.columns], row, strict=True)) for row in table.rows]


def apart(answer: Answer) -> list[int]:
    return [number for _, number in answer.tables[1].rows]


def figures(answer: Answer) -> list[int]:
    return [row["actors"] for row in rows(answer)]
