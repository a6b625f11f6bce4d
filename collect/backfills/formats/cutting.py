"""Where an element of a JSON file ends, told by its brackets, quotes and lines alone."""

import re

import msgspec

# A string that ends, one that does not, a bracket, a comma, or a line. No string of JSON has a line break in it.
_TOKEN = re.compile(rb'"(?:[^"\\\n]++|\\[^\n])*+"|"|[\[{]|[\]}]|[,\n]')
_OPENING = {b"]": b"[", b"}": b"{"}
# What may precede an element in its line: blanks, and the end of the element before it.
_INDENTED = re.compile(rb"([ \t]*)\}?\s*,?\s*")
# How far to look back for what precedes an element.
_LOOK_BACK = 256
_value = msgspec.json.Decoder(msgspec.Raw).decode


class Cut:
    """Finds the end of an element that begins at `start`, in the column `column`, in a text that grows.

    It ends with its last bracket. One whose brackets or quotes are wrong ends before the next line that can begin an
    element: a { that is indented no deeper, and that can be nothing else.
    """

    def __init__(self, start: int, column: int) -> None:
        self._start = start
        self._column = column
        # Up to where the text was looked at, but for a string that has not ended.
        self.position = start
        # A line in a list of the element that begins the next one if it turns out that this one is broken.
        self.restart: int | None = None
        self._open: list[bytes] = []
        # Whether its brackets or quotes are wrong.
        self.is_broken = self._is_large = False
        self._line_start = 0  # of a line of the element behind its first
        # A ] that belongs to nothing in the element, if that was the last thing seen.
        self._stray: int | None = None

    def move(self, by: int) -> None:
        """Note that the text was moved in memory."""
        self._start += by
        self.position += by
        self._line_start += by if self._line_start > 0 else 0
        self.restart = None if self.restart is None else self.restart + by
        self._stray = None if self._stray is None else self._stray + by

    def forget(self) -> None:
        """Note that of the text only what lies behind `position` is left."""
        self._start, self.position, self._line_start, self._is_large = 0, 0, 0, True

    def end_in(self, text: bytes) -> int | None:
        """Return where the element ends, None if the text does not tell yet."""
        behind = self.position
        for found in _TOKEN.finditer(text, self.position):
            at, token = found.start(), found[0]
            if at < behind:
                continue
            if self._open and (len(token) > 1 or token == b","):
                self._stray = None  # a string or a comma inside, of which most tokens are
            elif token == b'"':
                if (behind := text.find(b"\n", at)) < 0:
                    self.position = at
                    return None
                self.is_broken = True
            elif (end := self._end_at(text, at, token)) is not None:
                return end
        self.position = len(text)
        return None

    def last_end(self, text: bytes) -> int:
        """Return where the element ends in a text that is all there is."""
        self.is_broken = self.is_broken or bool(self._open)
        if self.restart is not None:
            return self.restart
        return len(text) if self._stray is None else self._stray

    def _end_at(self, text: bytes, at: int, token: bytes) -> int | None:
        if token == b"\n":
            self._line_start = at + 1
        else:
            self._stray = None
        if token in _OPENING:
            return self._closed(text, at, token)
        if token in _OPENING.values():
            if self._may_begin(text, at, token):
                return at
            if not self._open and token == b"[":
                return at + 1  # no event begins so: what is in it may be one
            self._open.append(token)
        elif not self._open and not token.startswith(b'"'):
            return at
        return None

    def _closed(self, text: bytes, at: int, token: bytes) -> int | None:
        opening = _OPENING[token]
        if not self._open:
            return max(at, self._start + 1)
        if opening in self._open:
            while self._open.pop() != opening:
                self.is_broken = True
        else:
            self.is_broken, self._stray = True, at
        if self._open:
            return None
        if self.restart is not None and not _is_json(text[self._start : at + 1]):
            self.is_broken = True
            return self.restart
        return at + 1

    def _may_begin(self, text: bytes, at: int, token: bytes) -> bool:
        """Tell whether the bracket begins the next element; remember it if that is not certain."""
        if not self._open:
            return at > self._start
        if token != b"{" or not self._line_start:
            return False
        indented = _INDENTED.fullmatch(text, self._line_start, at)
        if indented is None or len(indented[1]) > self._column:
            return False
        before = text[max(self._start, at - _LOOK_BACK) : at].rstrip()
        if self.is_broken or (self._open[-1] == b"{" and not before.endswith(b":")):
            self.is_broken = True
            return True
        if self.restart is None and not self._is_large:
            self.restart = at
        return False


def _is_json(text: bytes) -> bool:
    try:
        _value(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
