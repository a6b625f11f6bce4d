"""What was captured of a key's requests, for the console: a list without bodies, and one capture with all of it."""

import zlib
from contextlib import suppress
from typing import Any

from collect.models import Capture
from keys.models import ApiKey
from runtime import display

# Captures that a list shows, the newest. An order is for a hundred, and a day may see several.
LISTED = 200
# How much of a body a page shows, as text and as a dump.
SHOWN_TEXT, SHOWN_DUMP = 64 * 1024, 4 * 1024
_WIDTH = 16
_GZIP = ("gzip", "x-gzip")


def of_key(key: ApiKey) -> list[dict[str, Any]]:
    """Return the newest captures of the key, up to `LISTED`, without headers and bodies."""
    names = ("id", "received_at", "method", "path", "status", "body_size", "milliseconds", "request_id")
    return list(Capture.objects.filter(api_key=key).order_by("-received_at", "-id").values(*names)[:LISTED])


def one(capture: Capture) -> dict[str, Any]:
    """Return all of a capture as values that JSON knows."""
    key = capture.api_key
    return {
        "id": capture.pk,
        "key": {"id": key.pk, "prefix": key.prefix, "label": key.label, "partner": capture.partner.name},
        "received_at": display.exact(capture.received_at),
        "milliseconds": capture.milliseconds,
        "request_id": capture.request_id,
        "ip_address": capture.ip_address,
        "request": {
            "line": f"{capture.method} {capture.path} {capture.protocol}".strip(),
            "headers": capture.headers,
            "body": content(bytes(capture.body), capture.body_size, capture.headers),
        },
        "answer": {
            "status": capture.status,
            "headers": capture.answer_headers,
            "body": content(bytes(capture.answer), capture.answer_size, capture.answer_headers),
        },
    }


def content(data: bytes, size: int, headers: list[list[str]]) -> dict[str, Any]:
    """Return how bytes are shown: as text, or as a dump where they are none; of gzip also what is in it."""
    coding = next((value for name, value in headers if name == "Content-Encoding"), "").strip().lower()
    inflated = _inflate(data) if coding in _GZIP else None
    return {"size": size, "kept": len(data), **_shown(data), "inflated": None if inflated is None else _shown(inflated)}


def _shown(data: bytes) -> dict[str, Any]:
    text = as_text(data[:SHOWN_TEXT])
    if text is None:
        return {"form": "dump", "shown": dump(data[:SHOWN_DUMP]), "is_cut": len(data) > SHOWN_DUMP}
    return {"form": "text", "shown": text, "is_cut": len(data) > SHOWN_TEXT}


def as_text(data: bytes) -> str | None:
    """Return UTF-8 as text, or None where it is none. The last character may have been cut."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return None
        text = data[: error.start].decode()
    return None if any(ord(one) < 32 and one not in "\t\n\r" for one in text) else text


def dump(data: bytes) -> str:
    """Return bytes as lines of an offset, sixteen numbers and what of them is ASCII."""
    lines = []
    for start in range(0, len(data), _WIDTH):
        row = data[start : start + _WIDTH]
        letters = "".join(chr(one) if 32 <= one < 127 else "." for one in row)
        lines.append(f"{start:06x}  {row.hex(' '):<{_WIDTH * 3 - 1}}  {letters}")
    return "\n".join(lines)


def _inflate(data: bytes) -> bytes | None:
    """Return the beginning of what is in gzip, a little more than is shown; None where it is none."""
    with suppress(zlib.error):
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, SHOWN_TEXT + 1)
    return None
