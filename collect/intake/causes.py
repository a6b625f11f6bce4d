"""What a sender probably did, where a body is refused: the cause is told behind the fault, as a guess.

It is looked for only after the refusal, so a good event pays nothing.
"""

import re
from collections.abc import Callable

import msgspec
from msgspec import Raw

from collect.intake import hints
from runtime.refusals import Code, Refusal

_BATCH = "send it to /api/collect/batch as application/json"
_LINES = "It looks like NDJSON, one event a line: send it to /api/collect/batch as application/x-ndjson"
_TWICE = "It is a text: it seems to be encoded as JSON twice"

# How a body that is no JSON begins, and what it looks like then. Linear on any bytes.
_BEGINNINGS = [
    (rb"\s*+\Z", "The body is empty"),
    (rb"\x1f\x8b", "It looks like gzip: send it with Content-Encoding: gzip"),
    (rb"\xef\xbb\xbf", "It begins with a byte order mark (BOM): send it without"),
    (rb"\xff\xfe|\xfe\xff|\0[{\[]|[{\[]\0", "It looks like UTF-16: send UTF-8"),
    (rb"\s*+\{[^\n]*\}[ \t\r]*+\n\s*+\{", _LINES),
    (rb"[\w.%+-]++=", "It looks like the fields of a form: send JSON"),
]
# What stands at the byte where the decoder gave up.
_FAULTS = [
    (rb"-?+(?:NaN|Infinity)", "JSON has no NaN and no Infinity: send null"),
    (rb"None|True|False|undefined", "JSON has null, true and false, in small letters"),
    (rb"'", "JSON has double quotes, not single ones"),
    (rb"[\0-\x1f]", "A line break or another control character in a text is written as an escape, such as \\n"),
]
_FAULT_AT = re.compile(r"\(byte (\d+)\)\Z")
# The names under which many events are sent, here and elsewhere.
_MANY = ("events", "batch", "data", "records")
_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def of_event(refusal: Refusal, body: bytes) -> Refusal:
    """Return the refusal of one event with the cause that is likely, if one is."""
    return _with(refusal, body, _of_event)


def of_envelope(refusal: Refusal, body: bytes) -> Refusal:
    """Return the refusal of a whole batch with the cause that is likely, if one is."""
    return _with(refusal, body, _of_envelope)


def _with(refusal: Refusal, body: bytes, of_json: Callable[[bytes], str]) -> Refusal:
    cause = ""
    if refusal.code is Code.INVALID_JSON:
        cause = _of_syntax(refusal.detail, body)
    elif refusal.code is Code.INVALID_EVENT:
        cause = of_json(body)
    if not cause:
        return refusal
    return Refusal(refusal.code, f"{refusal.detail}. {cause}", errors=refusal.errors, headers=refusal.headers)


def _of_syntax(detail: str, body: bytes) -> str:
    at = int(found[1]) if (found := _FAULT_AT.search(detail)) else 0
    beginnings = (cause for pattern, cause in _BEGINNINGS if re.match(pattern, body))
    faults = (cause for pattern, cause in _FAULTS if found and re.match(pattern, body[at : at + 16]))
    return next(beginnings, "") or next(faults, "")


def _of_event(body: bytes) -> str:
    if body.lstrip()[:1] == b"[":
        return f"It is an array: {_BATCH}"
    fields = _fields_of(body)
    if fields is None:
        return _twice(body)
    if _begins(fields, "event_name", b'"'):
        return ""
    if any(_begins(fields, name, b"[") for name in _MANY):
        return f"It looks like a batch: {_BATCH}"
    given = {name: raw for name, raw in fields.items() if not _begins(fields, name, b"n")}
    return hints.header(hints.among(given, given.__contains__))


def _of_envelope(body: bytes) -> str:
    fields = _fields_of(body)
    if fields is None:
        return _twice(body)
    if "events" in fields:
        return _twice(bytes(fields["events"]))
    if "event_name" in fields:
        return "It looks like a single event: send it to /api/collect"
    array = next((name for name in fields if _begins(fields, name, b"[") and name in _MANY), None)
    return f"It has an array `{array}`: its name has to be `events`" if array else ""


def _fields_of(body: bytes) -> dict[str, Raw] | None:
    try:
        return _fields(body)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _begins(fields: dict[str, Raw], name: str, begin: bytes) -> bool:
    return bytes(fields.get(name, Raw()))[:1] == begin


def _twice(value: bytes) -> str:
    return _TWICE if re.match(rb'\s*+"\s*+[{\[]', value) else ""
