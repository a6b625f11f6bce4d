"""Settings out of the environment. A value that cannot be read is named, with what was meant, and never guessed at.

Not through django-environ, which takes `$NAME` for a reference, `maybe` for False, and ends in a traceback for `5s`.
"""

import os
from typing import NoReturn

from django.core.exceptions import ImproperlyConfigured

_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "y", "on", "ok"), True),
    **dict.fromkeys(("0", "false", "no", "n", "off"), False),
}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SHORT = {"WARN": "WARNING", "FATAL": "CRITICAL"}


def text(name: str, default: str) -> str:
    """Return the value without blanks around it; unset or blank is the default."""
    return os.environ.get(name, "").strip() or default


def number(name: str, default: int) -> int:
    """Return a whole number that is not negative. Raises ImproperlyConfigured."""
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit()):
        _refuse(name, value, "a whole number without a unit, such as 5 or 1073741824")
    return int(value)


def flag(name: str, default: bool) -> bool:
    """Return whether a setting is on. Raises ImproperlyConfigured."""
    value = text(name, str(default)).lower()
    if value not in _FLAGS:
        _refuse(name, value, "1 or 0")
    return _FLAGS[value]


def items(name: str, default: list[str]) -> list[str]:
    """Return the items between commas, without the blanks and quotes around them; none if the value is blank.

    A system check says whether they are what they should be.
    """
    if name not in os.environ:
        return default
    found = [item.strip().strip("'\"").strip() for item in os.environ[name].split(",")]
    return [item for item in found if item]


def level(name: str, default: str) -> str:
    """Return a level of the log, in whatever case it was written. Raises ImproperlyConfigured."""
    value = text(name, default).upper()
    value = _SHORT.get(value, value)
    if value not in LEVELS:
        _refuse(name, value, f"one of {', '.join(LEVELS)}")
    return value


def _refuse(name: str, value: str, meant: str) -> NoReturn:
    raise ImproperlyConfigured(f"{name} is {value!r}, which cannot be read: write {meant}.")
