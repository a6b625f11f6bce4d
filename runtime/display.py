"""Texts from senders, made safe to show on a page or a terminal; and moments, formatted for both."""

import re
from datetime import UTC, datetime
from typing import Any

# Marks that change the direction of the text after them, so that it could be shown as a different text.
_DIRECTION_MARKS = {
    code: f"\\u{code:04x}" for code in (0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
# Characters that move a terminal's cursor, change its colours, or do worse.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
# On a page these are only white space.
_SPACE = {ord(character) for character in "\t\n\f\r"}
_ON_PAGE = {code: text for code, text in (_DIRECTION_MARKS | _CONTROLS).items() if code not in _SPACE}
_MARK = f"[{re.escape(''.join(map(chr, _ON_PAGE)))}]"
# What a form would send back has to stay as it is. Texts are escaped, so that no quote in one looks like an attribute.
_HTML = re.compile(rf'(?s)\bvalue="[^"]*"|<textarea\b.*?</textarea>|(?P<mark>{_MARK})')


def on_page(html: str) -> str:
    """Return the HTML of a page with direction marks and control characters spelled out, except in fields of forms."""
    if re.search(_MARK, html) is None:
        return html
    return _HTML.sub(lambda match: match[0].translate(_ON_PAGE) if match["mark"] else match[0], html)


def in_json(value: Any) -> Any:
    """Return decoded JSON, which a script will show, with direction marks and control characters spelled out."""
    if isinstance(value, dict):
        return {name: in_json(part) for name, part in value.items()}
    if isinstance(value, list):
        return [in_json(part) for part in value]
    return value.translate(_ON_PAGE) if isinstance(value, str) else value


def on_terminal(text: str) -> str:
    """Return `text` for one line of a terminal, with direction marks and control characters spelled out."""
    return text.translate(_DIRECTION_MARKS | _CONTROLS)


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


def number(value: float) -> str:
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
