"""Texts from senders, made safe to show on a page or a terminal; and moments, formatted for both."""

from datetime import UTC, datetime

# Marks that change the direction of the text after them, so that it could be shown as a different text.
_DIRECTION_MARKS = {
    code: f"\\u{code:04x}" for code in (0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
# Characters that move a terminal's cursor, change its colours, or do worse.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def on_page(text: str) -> str:
    """Return `text` for a page, with direction marks spelled out. The page has to escape HTML itself."""
    return text.translate(_DIRECTION_MARKS)


def on_terminal(text: str) -> str:
    """Return `text` for one line of a terminal, with direction marks and control characters spelled out."""
    return text.translate(_DIRECTION_MARKS | _CONTROLS)


def second(moment: datetime | None) -> str:
    """Return a moment to the second, in UTC: `2026-05-26 16:00:00`; `-` for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if moment else "-"


def minute(moment: datetime | None) -> str:
    """Return a moment to the minute, in UTC: `2026-05-26 16:00`; `-` for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"


def day(moment: datetime | None) -> str:
    """Return the day of a moment in UTC: `2026-05-26`; `-` for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}" if moment else "-"
