"""Texts that somebody sent, and moments, as a person may look at them on a page or a terminal."""

from datetime import UTC, datetime

# Marks that turn the direction of what follows, so that a text could show as another one.
_DIRECTION_MARKS = {
    code: f"\\u{code:04x}" for code in (0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
# What moves the cursor of a terminal, colours it, or does worse.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def on_page(text: str) -> str:
    """Return `text` for a page, which escapes HTML itself; what would turn its direction is spelled out."""
    return text.translate(_DIRECTION_MARKS)


def on_terminal(text: str) -> str:
    """Return `text` for one line of a terminal; what would act on the screen is spelled out."""
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
