"""JSON in a file: an event a line, an array of events, events one behind another, or the body of a batch.

Elements are cut out by their brackets, quotes and lines alone, so that a broken one does not end the file: reading
goes on at the next line that begins an element.
"""

import io
import re
from collections.abc import Iterator

from collect.backfills.formats.cutting import Cut
from collect.backfills.formats.records import MAX_RECORD_BYTES, SHOWN_BYTES, Record, Unreadable, oversized, record

# How a line of a file of rejects begins: as we write it, and with its keys sorted.
REJECTED_STARTS = (b'{"file"', b'{"code"')
# A reject may have its record in it as a text, with quotes escaped, and has the reasons beside it.
_MAX_REJECT_BYTES = 3 * MAX_RECORD_BYTES
_CHUNK = 256 * 1024
# The body of a batch: other keys may precede its events.
_KEY = rb'"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[\w.+-]+)\s*,\s*'
_BATCH = re.compile(rb'\s*\{\s*(?:%b)*"events"\s*:\s*(?=\[)' % _KEY)
_BATCH_END = re.compile(rb"\s*(,.*)?\}\s*", re.DOTALL)
_BLANK = b" \t\r\n"
# What separates elements.
_BETWEEN = re.compile(rb"[ \t\r\n,]*")
# A ] that ends neither an array nor the events of a batch, behind which other keys may stand.
_GOES_ON, _BATCH_GOES_ON = re.compile(rb"\]\s*[,{]"), re.compile(rb"\]\s*,?\s*\{")


def ndjson(plain: io.BufferedReader) -> Iterator[Record]:
    """Yield each line that is not blank."""
    limit = MAX_RECORD_BYTES + 2
    number = 0
    while line := plain.readline(limit):
        number += 1
        is_reject = line.startswith(REJECTED_STARTS)
        if is_reject and len(line) == limit:
            line += plain.readline(_MAX_REJECT_BYTES)
        if len(line) >= limit and not line.endswith(b"\n"):
            while (rest := plain.readline(limit)) and not rest.endswith(b"\n"):
                pass
            yield oversized(number, line)
        elif body := line.strip():
            yield Record(number, body)


def elements(plain: io.BufferedReader) -> Iterator[Record]:
    """Yield the elements of an array or of a batch's body, or the objects of a file.

    Raises `Unreadable` for anything else, for an array that is cut off, and for what follows it.
    """
    start = plain.peek(4096)
    if batch := _BATCH.match(start):
        return iter(_Elements(plain, batch.end(), is_batch=True))
    first = start.lstrip()[:1]
    if first not in (b"[", b"{"):
        raise Unreadable("not JSON: it begins with neither [ nor {")
    return iter(_Elements(plain, start.index(first), is_batch=False))


def is_one(start: bytes) -> bool:
    """Tell whether a file that begins so is for `elements`: it does not have an object a line."""
    start = start.lstrip()
    if start.startswith(b"[") or _BATCH.match(start):
        return True
    first, _, rest = start.partition(b"\n")
    is_unfinished = start.startswith(b"{") and first.rstrip().endswith((b"{", b"[", b",", b":"))
    return is_unfinished and rest.lstrip()[:1] not in (b"{", b"")


class _Elements:
    """The elements behind a [, or the objects of a file. The text in memory begins at or before the next element."""

    def __init__(self, plain: io.BufferedReader, start: int, *, is_batch: bool) -> None:
        self._plain = plain
        self._is_batch = is_batch
        self._text = plain.read(start + 1)
        self._is_array = self._text.endswith(b"[")
        # Where what has not been read begins, the number of its line, and where that line begins.
        self._at = len(self._text) if self._is_array else start
        self._line = 1 + self._text.count(b"\n")
        self._line_start = self._text.rfind(b"\n") + 1
        # The column in which the last element began that was whole.
        self._column = 0

    def __iter__(self) -> Iterator[Record]:
        while next_byte := self._skip():
            if self._is_array and next_byte == b"]" and not self._goes_on():
                self._at += 1
                return self._check_end()
            yield self._element()
        if self._is_array:
            raise Unreadable(f"the JSON array is cut off: it has no ] (it ends in line {self._line})")

    def _more(self, kept: int) -> bool:
        """Read more, and forget the text before `kept`; return False at the end of the file."""
        chunk = self._plain.read(_CHUNK)
        chunk += self._plain.readline(_CHUNK)  # so that a line is hardly ever cut
        self._text = self._text[kept:] + chunk
        self._at -= kept
        self._line_start -= kept
        return bool(chunk)

    def _skip(self) -> bytes:
        """Go to the next element; return its first byte, or none at the end of the file."""
        while True:
            between = _BETWEEN.match(self._text, self._at)
            self._pass(self._at if between is None else between.end())
            if self._at < len(self._text):
                return self._text[self._at : self._at + 1]
            if not self._more(self._at):
                return b""

    def _goes_on(self) -> bool:
        """Tell whether the ] that comes next does not end the array: another element follows."""
        self._more(self._at)
        return (_BATCH_GOES_ON if self._is_batch else _GOES_ON).match(self._text, self._at) is not None

    def _pass(self, end: int) -> None:
        """Go on at `end`."""
        self._line += self._text.count(b"\n", self._at, end)
        if (line_break := self._text.rfind(b"\n", self._at, end)) >= 0:
            self._line_start = line_break + 1
        self._at = end

    def _element(self) -> Record:
        """Read one element."""
        line, shown = self._line, b""
        column = self._at - self._line_start
        cut = Cut(self._at, max(column, self._column))
        while (end := cut.end_in(self._text)) is None:
            if len(self._text) - self._at > MAX_RECORD_BYTES:
                if cut.restart is not None:
                    end = cut.restart
                    break
                shown = shown or self._text[self._at : self._at + SHOWN_BYTES]
                self._forget(cut)
            kept = self._at
            is_there = self._more(kept)
            cut.move(-kept)
            if not is_there:
                end = cut.last_end(self._text)
                break
        if not cut.is_broken:
            self._column = column
        body = self._text[self._at : end].rstrip(_BLANK)
        self._pass(end)
        if shown:
            return oversized(line, shown, self._line - line + 1)
        return record(line, body, body.count(b"\n") + 1)

    def _forget(self, cut: Cut) -> None:
        """Keep of an element that is too large only what is needed to find its end."""
        rest = self._text[cut.position :]
        if len(rest) > SHOWN_BYTES:
            # A string that has not ended. Half an escape at its end must not be torn from its other half.
            rest = b'"' + b"\\" * ((len(rest) - len(rest.rstrip(b"\\"))) % 2)
        self._pass(cut.position)
        self._text, self._at, self._line_start = rest, 0, 0
        cut.forget()

    def _check_end(self) -> None:
        """Raise `Unreadable` where something follows the array."""
        tail = self._text[self._at :]
        while not tail.strip() and (chunk := self._plain.read(_CHUNK)):
            tail = chunk
        if self._is_batch and _BATCH_END.fullmatch(tail + self._plain.read(_CHUNK)):
            return
        if tail.strip() or self._is_batch:
            raise Unreadable(f"there is more behind the ] in line {self._line}: is it NDJSON, or two files in one?")
