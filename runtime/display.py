"""Texts that somebody sent, as a person may look at them: what would act on the screen is spelled out instead."""

# Marks that turn the direction of what follows, so that a text could show as another one.
_DIRECTION_MARKS = {
    code: f"\\u{code:04x}" for code in (0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
# What moves the cursor of a terminal, colours it, or does worse.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def on_page(text: str) -> str:
    """`text` for a page, which escapes what HTML would mind."""
    return text.translate(_DIRECTION_MARKS)


def on_terminal(text: str) -> str:
    """`text` for one line of a terminal."""
    return text.translate(_DIRECTION_MARKS | _CONTROLS)
