"""Stored events as NDJSON, page by page in the order of their ids, so that memory does not grow.

PostgreSQL writes the JSON itself, two pages at a time, which no Python could do as fast; elsewhere the rows are
encoded here.
"""

import itertools
import tempfile
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import cache
from typing import Any, BinaryIO, NamedTuple, cast
from uuid import UUID

import msgspec
from django.db import Error, connection, connections, models, transaction
from django.db.models.functions import Cast
from msgspec import Raw

from collect.backfills.formats import exported
from collect.backfills.walk import ranges
from collect.models import Event
from collect.storage.rows import Row
from keys.models import ApiKey, Partner

# Events in a page, and up to how many bytes a page is kept in memory; a larger one waits on disk.
PAGE, PAGE_BYTES = 10_000, 8 * 1024 * 1024
# Events that a thread holds at a time; each has a MiB at most.
ROWS = 16

COLUMNS = [field.name for field in msgspec.structs.fields(Row)]


class Page(NamedTuple):
    """A page of events: how many they are, their NDJSON, and the last id."""

    events: int
    lines: BinaryIO
    last: UUID


def pages(condition: models.Q, last: UUID | None) -> Generator[Page, None, None]:
    """Yield the pages in the order of ids, after `last`. Threads read ahead; events that arrive meanwhile are left out.

    The caller closes the lines of each page, and closes the generator if it stops early. Raises `django.db.Error`.
    """
    pending: deque[Future[Page]] = deque()
    # Two connections have two processes of PostgreSQL format rows at once; elsewhere this process does it anyway.
    readers = 2 if connection.vendor == "postgresql" else 1
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1, "export")) for _ in range(readers)]
        for thread in threads:
            # This is called before the pool waits for its thread, and so is the last thing that the thread does.
            stack.callback(thread.submit, connections.close_all)
        stack.callback(_let_go, pending)
        for number, (page, end) in enumerate(_ranges(condition, last)):
            pending.append(threads[number % readers].submit(_read, page, end))
            if len(pending) > readers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _let_go(pending: "deque[Future[Page]]") -> None:
    for page in pending:
        if not page.cancel():
            with suppress(Error):  # the caller may have stopped for another page's error already
                page.result().lines.close()


def _ranges(condition: models.Q, last: UUID | None) -> Iterator[tuple["models.QuerySet[Event]", UUID]]:
    """Yield each page as a query, and its last id."""
    events = Event.objects.filter(condition).order_by("id")
    # Events that arrive meanwhile are left out: under load the export would never end.
    return ranges(events, PAGE, last, events.values_list("id", flat=True).last())


def _read(page: "models.QuerySet[Event]", last: UUID) -> Page:
    """Return the page, which is in memory or, if its events are large, on disk."""
    read = _streamed if connection.vendor == "postgresql" else _encoded
    lines = cast(BinaryIO, tempfile.SpooledTemporaryFile(PAGE_BYTES))  # noqa: SIM115  # whoever reads it closes it
    events = 0
    rows = read(page)
    while some := list(itertools.islice(rows, ROWS)):
        lines.write(b"".join(some))
        events += len(some)
    lines.seek(0)
    return Page(events, lines, last)


def _streamed(page: "models.QuerySet[Event]") -> Iterator[bytes]:
    names = [_by_id(Partner, "name"), _by_id(ApiKey, "prefix")]
    text, parameters = page.query.sql_with_params()
    with transaction.atomic(), connection.cursor() as cursor:
        # Compiling the expression (JIT) takes longer than it saves. The planner does not know what the expression
        # costs: without the other settings it would format all rows and then sort them, instead of using the index.
        cursor.execute(
            "SELECT set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true), "
            "set_config('max_parallel_workers_per_gather', '0', true)"
        )
        rows = cursor.cursor.stream(_select().format(text), [*names, *names, *parameters], binary=True, size=ROWS)
        with closing(rows):
            yield from (line for (line,) in rows)


def _by_id(model: type[models.Model], name: str) -> str:
    """Return a JSON object from our ids to names, which costs the database less than joining every event."""
    return exported.encode(dict(model._default_manager.values_list("pk", name))).decode()


@cache
def _select() -> str:
    """Return the statement that has PostgreSQL write a page as lines of JSON; `{}` is the query of the page.

    Most texts have nothing to escape, and checking all texts of a row at once is cheaper than escaping each.
    """
    texts = ", ".join(f'page."{name}"' for name in COLUMNS if _is_text(name))
    return (
        "SELECT convert_to(CASE WHEN octet_length(to_json(texts)::text) = octet_length(texts) + 2 "  # noqa: S608
        f"THEN {_expression(_PLAIN_TEXT)} ELSE {_expression(_ESCAPED_TEXT)} END, 'UTF8') "
        # OFFSET keeps the planner from concatenating the texts twice.
        f"FROM (SELECT page.*, concat({texts}) AS texts FROM ({{}}) AS page OFFSET 0) AS event"
    )


def _expression(text: str) -> str:
    """Return the SQL expression of an event as JSON. `concat` skips NULLs, so a NULL column has no key."""
    pieces: list[str] = []
    for name in COLUMNS:
        form = text if _is_text(name) else _FORMS[Event._meta.get_field(name).get_internal_type()]
        key = f'{"," if pieces else "{{"}"{exported.NAMES.get(name, name)}":'
        pieces.append(f"'{key}' || {form.format(_column(name))}")
    return f"concat({', '.join(pieces)}, E'}}}}\\n')"


def _is_text(name: str) -> bool:
    return isinstance(Event._meta.get_field(name), models.CharField | models.TextField)


def _column(name: str) -> str:
    return f'event."{name}"'


# SQL that makes a value JSON. `to_json` looks up the type of every value, and only few columns need that.
_PLAIN_TEXT, _ESCAPED_TEXT = "'\"' || {} || '\"'", "to_json({})::text"
_FORMS = {
    "UUIDField": "'\"' || {} || '\"'",
    "DateTimeField": "to_json({})::text",
    "GenericIPAddressField": "'\"' || host({}) || '\"'",
    "JSONField": "{}::text",
    "FloatField": "{}::text",
    "BooleanField": "{}::text",
    "ForeignKey": "(%s::jsonb -> {}::text)::text",
}


def _encoded(page: "models.QuerySet[Event]") -> Iterator[bytes]:
    annotations: dict[str, Any] = {f"{name}_text": Cast(name, models.TextField()) for name in exported.JSON}
    annotations |= {"partner_name": models.F("partner__name"), "key_prefix": models.F("api_key__prefix")}
    event: Any
    for event in page.defer(*exported.JSON).annotate(**annotations).iterator(ROWS):
        columns = {name: getattr(event, name) for name in exported.FIELDS if name not in _OTHERWISE}
        columns |= {name: Raw(text.encode()) for name in exported.JSON if (text := getattr(event, f"{name}_text"))}
        columns |= {"id": str(event.id), "partner": event.partner_name, "api_key": event.key_prefix}
        yield exported.encode(exported.Exported(**columns)) + b"\n"


_OTHERWISE = {*exported.JSON, *exported.NAMES.values(), "id"}
