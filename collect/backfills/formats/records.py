"""What a reader of files gives: records, one after another, and what ends a file early."""

from contextlib import suppress

import msgspec

from collect.intake import contract
from runtime.refusals import Code, Refusal

# An exported event is longer than it was sent: our columns, spaces in its JSON, numbers without exponents.
MAX_RECORD_BYTES = 8 * contract.MAX_BODY_BYTES
# How much is kept of a record that is larger.
SHOWN_BYTES = 1000


class Unreadable(Exception):  # noqa: N818  # said to people as it is
    """The rest of a file cannot be read."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as JSON, and the line it begins in; or why there is none (`body` is then what can be shown).

    A row of CSV that cannot be read has the file's first line as `header`, so that it can be read once it is mended.
    """

    line: int
    body: bytes
    fault: Refusal | None = None
    lines: int = 1
    header: str | None = None


def record(line: int, body: bytes, lines: int = 1) -> Record:
    """Return the record in `body`, or that it is too large."""
    return oversized(line, body, lines) if len(body) > MAX_RECORD_BYTES else Record(line, body, None, lines)


def oversized(line: int, body: bytes, lines: int = 1) -> Record:
    """Return the record of an event that is too large, of which the beginning is shown."""
    return Record(line, body[:SHOWN_BYTES], too_large(MAX_RECORD_BYTES), lines)


def unreadable_row(line: int, why: object, kept: bytes = b"", lines: int = 1, header: str | None = None) -> Record:
    """Return the record of a row of a table that cannot be read."""
    return Record(line, kept, Refusal(Code.BAD_REQUEST, f"The row cannot be read: {why}"), lines, header)


def too_large(limit: int) -> Refusal:
    """Return the refusal of a record of more than `limit` bytes."""
    return Refusal(Code.TOO_LARGE, f"An event may have {limit} bytes at most")


def on_one_line(body: bytes) -> msgspec.Raw:
    """Return what a record is in a file to be mended: itself on one line, or if it is no object, its text in quotes."""
    with suppress(msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        msgspec.json.decode(body)
        if not body.lstrip(b" \t\r\n").startswith(b'"'):
            # Whatever line breaks it had.
            return msgspec.Raw(msgspec.json.format(body, indent=-1))
    return msgspec.Raw(msgspec.json.encode(body.decode("utf-8", "backslashreplace")))


def out_of_line(record: msgspec.Raw) -> bytes:
    """Return the record that `on_one_line` has made so. Raises ValueError for a text that is none."""
    text = bytes(record)
    return msgspec.json.decode(text, type=str).encode() if text.startswith(b'"') else text
