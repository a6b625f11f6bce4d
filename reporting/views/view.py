"""A view of the database: a name, a sentence, and its columns, each with a sentence. Names are stable: tools use them.

A view's definition changes together with a migration that makes it anew (`making.make`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.views import columns


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a view: its name, the SQL that makes it, and what it is, in a sentence."""

    name: str
    sql: str
    sentence: str


@dataclass(frozen=True, slots=True)
class View:
    """A view. `source` is all of its SQL behind FROM."""

    name: str
    sentence: str
    columns: Sequence[Column]
    source: str

    def sql(self) -> str:
        """Return the SELECT of the view; each column stands on a line with its sentence."""
        last = len(self.columns) - 1
        listed = "".join(
            f"\n  {column.sql} AS {column.name}{',' if place < last else ''} -- {column.sentence}"
            for place, column in enumerate(self.columns)
        )
        return f"SELECT {listed}\nFROM {self.source}"


def as_stored(sentences: dict[str, str]) -> list[Column]:
    """Return columns of the row `e` by their names, with their sentences."""
    return [Column(name, f"e.{name}", sentence) for name, sentence in sentences.items()]


def unless_empty(sentences: dict[str, str]) -> list[Column]:
    """Return columns of text of the row `e`, in which an empty text is NULL."""
    return [Column(name, f"nullif(e.{name}, '')", sentence) for name, sentence in sentences.items()]


# Columns that several views have.
NAMES = {"event_name": "The name of the event"}
TAGS = {"tag_id": "The tag that was sent, or site:<host> where the server derived one"}
CHANNELS = {"channel": "server, or what an import named"}
PARTNERS = {
    "partner_id": "The number of the partner",
    "partner": "The name of the partner, who sent the event",
}
EVENTS = "collect_event"
OF_EVENTS = f"{EVENTS} AS e JOIN keys_partner AS p ON p.id = e.partner_id"
CATEGORY = Column("category", columns.category(), "The taxonomy's category of the name; custom for every other name")
