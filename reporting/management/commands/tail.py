"""`manage.py tail`: the newest events and rejections, and with `--follow` those that come in, each once."""

import json
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from keys.management.arguments import find_key
from keys.models import Partner
from reporting.live import filters, listing, stream, watching
from reporting.live.filters import Filter
from reporting.live.stream import Place, Row
from reporting.live.watching import Cursor, Late, News, Second
from reporting.ranges import BadRange
from runtime.display import millisecond, on_terminal

PERIOD_SECONDS = 1.0
_ROADS = {
    "spool": "late, from the spool",
    "delay": "late, from a worker that was overloaded",
    "import": "by an import",
    "replay": "by a replay of rejections",
}


class Command(BaseCommand):
    """Prints one line for each row, the newest last, with times in UTC."""

    help = "Show the newest events and rejections. With --follow go on, until Ctrl-C; no row is left out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--partner", help="the name of a partner")
        parser.add_argument("--key", help="the prefix of a key")
        parser.add_argument("--kind", default="", help="live or test: of which keys (both)")
        parser.add_argument("--event-name", default="", help="the name of an event, exactly")
        parser.add_argument("--tag", default="", help="a tag, exactly")
        parser.add_argument("--outcome", default="", help=f"one of {', '.join(filters.OUTCOMES)}")
        parser.add_argument("--lines", type=int, default=20, help="rows to begin with (20)")
        parser.add_argument("--follow", action="store_true", help="go on with what comes in")
        parser.add_argument("--json", action="store_true", help="each row as a line of JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the rows. Raises CommandError for a filter that is none."""
        self._as_json = options["json"]
        chosen = self._filter(options)
        now = datetime.now(UTC)
        follower = Follower(chosen, now)
        first = listing.page(chosen, listing.everything_before(follower.end), Place(), max(0, options["lines"])).rows
        for row in reversed(first):
            self._print(row)
        follower.skip(first)
        with suppress(KeyboardInterrupt):
            while options["follow"]:
                time.sleep(PERIOD_SECONDS)
                for one in follower.look(datetime.now(UTC)):
                    self._print(one)
                self.stdout.flush()

    def _filter(self, options: dict[str, Any]) -> Filter:
        query = {name: options[name] for name in ("kind", "tag", "outcome")} | {"name": options["event_name"]}
        if name := options["partner"]:
            partner = Partner.objects.filter(name=name).first()
            if partner is None:
                raise CommandError(Partner.objects.unknown(name))
            query["partner"] = str(partner.pk)
        if options["key"]:
            query["key"] = str(find_key(options["key"], self.stderr.write).pk)
        try:
            return filters.of_query(query)
        except BadRange as error:
            raise CommandError(str(error)) from None

    def _print(self, one: "Row | Late | Second") -> None:
        if self._as_json:
            self.stdout.write(json.dumps(asdict(one), default=str))
        elif isinstance(one, Row):
            self.stdout.write(self._line(one))
        elif isinstance(one, Late):
            what = f"{one.events} events and {one.rejections} rejections" if one.rejections else f"{one.events} events"
            told = f"{one.range}: {what} of {on_terminal(one.partner)} came {_ROADS[one.road]}"
            self.stdout.write(self.style.WARNING(told))
        else:
            self.stdout.write(self.style.WARNING(f"{one.range}: {one.more} rows came while nobody looked"))

    def _line(self, row: Row) -> str:
        if row.kind == stream.REJECTION:
            outcome = (self.style.WARNING if row.code == "conflict" else self.style.ERROR)(row.code.ljust(13))
            text = row.detail
        else:
            outcome = self.style.SUCCESS(("test" if row.is_test else "stored").ljust(13))
            text = "  ".join(filter(None, (row.name, row.tag, row.event_id)))
        parts = (on_terminal(part) for part in (row.partner, text))
        return "  ".join((millisecond(row.received_at), outcome, *parts))


class Follower:
    """Yields each row that comes in once, oldest first, whatever the order in which they are committed."""

    def __init__(self, chosen: Filter, now: datetime) -> None:
        """Take what there is by now as seen, as far back as rows may still be committed at any moment."""
        self._chosen = chosen
        self._printed: dict[int, set[tuple[str, str]]] = defaultdict(set)
        second, noted = int(now.timestamp()), int(now.timestamp() * 1_000_000)
        self._cursor = Cursor(second - watching.NEAR, second, noted, (0,))
        for _ in self.look(now):
            pass

    @property
    def end(self) -> datetime:
        """The end of what has been looked at."""
        return stream.second(self._cursor.end).start

    def skip(self, rows: Iterable[Row]) -> None:
        """Take these rows as printed."""
        for row in rows:
            self._printed[int(row.at.timestamp())].add((row.kind, row.id))

    def look(self, now: datetime) -> Iterator[Row | Late | Second]:
        """Yield what is new, and what came late or while nobody looked, as far as it is told only in numbers."""
        news = watching.look(self._chosen, self._cursor, now)
        self._cursor = news.cursor
        if news.missed:
            yield news.missed
        yield from self._rows(news)
        yield from news.late
        for second in [one for one in self._printed if one < self._cursor.start]:
            del self._printed[second]

    def _rows(self, news: News) -> Iterator[Row]:
        for one in sorted(news.seconds, key=lambda one: one.range.start):
            printed = self._printed[int(one.range.start.timestamp())]
            rows = list(listing.all_rows(self._chosen, one.range)) if one.more else one.rows
            for row in reversed(rows):
                if (row.kind, row.id) not in printed:
                    printed.add((row.kind, row.id))
                    yield row
