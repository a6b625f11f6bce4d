"""Texts from senders, made safe to show on a page or a terminal; and moments, formatted for both."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

# Marks that change the direction of the text after them, so that it could be shown as a different text.
_DIRECTION_MARKS = (0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
# Characters that show as nothing, so that two texts could look alike, and two that break a line where nobody sees it.
_UNSEEN = (0x00AD, 0x115F, 0x1160, 0x180E, 0x200B, 0x2028, 0x2029, *range(0x2060, 0x2065), *range(0x206A, 0x2070))
_UNSEEN += (0x3164, 0xFEFF, 0xFFA0, *range(0xFFF9, 0xFFFC), 0xE0001, *range(0xE0020, 0xE0080))
_SPELLED = {code: f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}" for code in (*_DIRECTION_MARKS, *_UNSEEN)}
# They shape the letters and the emoji on both sides of them; among letters of ASCII they are as unseen as the others.
_JOINERS = re.compile("(?<![^\x00-\x7f\u200c\u200d])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f\u200c\u200d])")
# Characters that move a terminal's cursor, change its colours, or do worse.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
# On a page these are only white space.
_SPACE = {ord(character) for character in "\t\n\f\r"}
_ON_PAGE = {code: text for code, text in (_SPELLED | _CONTROLS).items() if code not in _SPACE}
_MARK = f"{_JOINERS.pattern}|[{re.escape(''.join(map(chr, _ON_PAGE)))}]"
# What a form would send back has to stay as it is. Texts are escaped, so that no quote in one looks like an attribute.
_HTML = re.compile(rf'(?s)(?<=\s)value="[^"]*"|<textarea\b.*?</textarea>|(?P<mark>{_MARK})')

_JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _spelled(text: str, table: Mapping[int, str]) -> str:
    """Return the text with what the table has, and with joiners that join nothing, spelled out."""
    return _JOINERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text).translate(table)


def on_page(html: str) -> str:
    """Return the HTML of a page with marks, unseen and control characters spelled out, except in fields of forms."""
    if re.search(_MARK, html) is None:
        return html
    return _HTML.sub(lambda match: _spelled(match[0], _ON_PAGE) if match["mark"] else match[0], html)


def in_json(text: str) -> str:
    """Return JSON, which a script will show, with marks, unseen and control characters in its texts spelled out.

    All else stays as it is: decoded, a number 58.00 would become 58.0.
    """
    return _JSON_TEXT.sub(lambda match: json.dumps(_spelled(json.loads(match[0], strict=False), _ON_PAGE)), text)


def on_terminal(text: str) -> str:
    """Return `text` for one line of a terminal, with marks, unseen and control characters spelled out."""
    return _spelled(text, _SPELLED | _CONTROLS)


def millisecond(moment: datetime | None) -> str:
    """Return a moment to the millisecond, in UTC: `2026-05-26 16:00:00.250 UTC`; `-` for none."""
    return f"{second(moment)}.{moment.microsecond // 1_000:03} UTC" if moment else "-"


def exact(moment: datetime | None) -> str:
    """Return a moment as `millisecond` does, but with the microseconds where there are any."""
    return f"{second(moment)}.{moment.microsecond:06}".removesuffix("000") + " UTC" if moment else "-"


def second(moment: datetime | None) -> str:
    """Return a moment to the second, in UTC: `2026-05-26 16:00:00`; `-` for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if moment else "-"


def minute(moment: datetime | None) -> str:
    """Return a moment to the minute, in UTC: `2026-05-26 16:00`; `-` for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"


def day(moment: datetime | None) -> str:
    """Return the day of a moment in UTC: `2026-05-26`; `-` for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}" if moment else "-"


def span(start: datetime, end: datetime) -> str:
    """Return the range from `start` until before `end`, in UTC: `2026-05-26 16:00 to 16:01 UTC`.

    The day of the end is named where it is another, and seconds where there are any.
    """
    form = second if start.second or end.second else minute
    last = form(end)
    return f"{form(start)} to {last.split()[1] if day(start) == day(end) else last} UTC"


def number(value: float | Decimal) -> str:
    """Return a number as people read it: `12,345`; at most two decimals."""
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")


def share(part: float) -> str:
    """Return a share of 1 in per cent: `37.2 %`; what is little, or nearly all, is not rounded to nothing or to all."""
    if 0 < part < 0.001:
        return "< 0.1 %"
    if 0.999 < part < 1:
        return "> 99.9 %"
    return f"{number(round(part * 100, 1))} %"
