"""Settings out of the environment and `.env`. A value that cannot be read is named, with what was meant, never guessed.

Every reader takes a value with blanks or one pair of quotes around it, as files for Docker and systemd have them, and
takes a blank one for one that is not set.
"""

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

from django.core.exceptions import ImproperlyConfigured

_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "y", "on", "ok"), True),
    **dict.fromkeys(("0", "false", "no", "n", "off"), False),
}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SHORT = {"WARN": "WARNING", "FATAL": "CRITICAL"}

# What a unit behind a number stands for, by the unit that the setting has.
_FACTORS = {
    "bytes": {prefix + suffix: 1024**power for power, prefix in enumerate(("", *"kmgt")) for suffix in ("", "b", "ib")},
    "seconds": {
        **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
        **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
        **dict.fromkeys(("h", "hour", "hours"), 3600),
        **dict.fromkeys(("d", "day", "days"), 86_400),
    },
    "days": {**dict.fromkeys(("d", "day", "days"), 1), **dict.fromkeys(("w", "week", "weeks"), 7)},
}
# More digits than any setting has, and than Python converts.
_MOST_DIGITS = 18

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")

# The tag of system checks that say whether a value can be used, whatever the state of the machine.
TAG = "settings"

# Whether this process is a command and not the server; manage.py says so.
is_command = False

# Every name that was asked for: those that there are, for the check of misspelt ones.
known: set[str] = {"ENV_FILE", "MAXMIND_ACCOUNT_ID", "MAXMIND_LICENSE_KEY"}


def text(name: str, default: str) -> str:
    """Return the value without blanks and quotes around it; unset or blank is the default."""
    known.add(name)
    value = os.environ.get(name, "").strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1].strip()
    return value or default


def number(name: str, default: int, least: int = 0, most: int = 10**_MOST_DIGITS, unit: str = "") -> int:
    """Return a whole number from `least` to `most`. Raises ImproperlyConfigured."""
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit()):
        likely = _likely_number(value, unit)
        meant = f"a whole number without a unit, such as {default if likely is None else likely}"
        _refuse(name, value, f"{meant} ({unit})" if unit else meant)
    if len(value) > _MOST_DIGITS or not least <= int(value) <= most:
        raise ImproperlyConfigured(
            f"{name} is {value[:40]}: write a number from {least} to {most}{unit and f' ({unit})'}."
        )
    return int(value)


def _likely_number(value: str, unit: str) -> int | None:
    """Return what a number with a unit, with separators or with a fraction of zero probably means."""
    if match := re.fullmatch(r"(\d{1,3})((?:[ _,.']\d{3})+)", value):
        return int(match[1] + re.sub(r"\D", "", match[2]))
    match = re.fullmatch(r"(\d{1,15})(?:\.0*)?\s*([a-z]*)", value.lower())
    factor = _FACTORS.get(unit, {"": 1}).get(match[2] or "", None if match[2] else 1) if match else None
    return None if match is None or factor is None else int(match[1]) * factor


def flag(name: str, default: bool) -> bool:
    """Return whether a setting is on. Raises ImproperlyConfigured."""
    value = text(name, str(default)).lower()
    if value not in _FLAGS:
        _refuse(name, value, "1 or 0")
    return _FLAGS[value]


def items(name: str, default: list[str]) -> list[str]:
    """Return the items between commas or blanks, without the quotes around them; none if the value is blank.

    A list as Python or JSON writes it is read, too. A system check says whether the items are what they should be.
    """
    known.add(name)
    if name not in os.environ:
        return default
    value = text(name, "")
    if re.fullmatch(r"\[\s*(['\"].*)?\]", value):
        value = value[1:-1]
    found = [item.strip("'\"") for item in re.split(r"[\s,;]+", value)]
    return [item for item in found if item]


def level(name: str, default: str) -> str:
    """Return a level of the log, in whatever case it was written. Raises ImproperlyConfigured."""
    value = text(name, default).upper()
    value = _SHORT.get(value, value)
    if value not in LEVELS:
        _refuse(name, value, f"one of {', '.join(LEVELS)}")
    return value


def path(name: str, default: Path, base: Path) -> Path:
    """Return a path, which is relative to `base` and not to where a command happens to be called.

    `~` is the home of the user. Raises ImproperlyConfigured where there is no such home.
    """
    value = text(name, str(default))
    try:
        return base / Path(value).expanduser()
    except RuntimeError:
        _refuse(name, value, "a path without ~")


def host(name: str, default: str) -> str:
    """Return the name or the address to listen on, without brackets. Raises ImproperlyConfigured."""
    value = text(name, default)
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        return str(ip_address(bare))
    except ValueError:
        # All digits and dots, yet no address: no name either.
        if _HOST.fullmatch(bare) and not re.fullmatch(r"[\d.]+", bare):
            return bare
    likely = "0.0.0.0 for every address of the machine" if value == "*" else "such as 0.0.0.0, ::1 or localhost"
    _refuse(name, value, f"an address or a name alone, {likely}; the port is PORT")


def bracketed(host: str) -> str:
    """Return a host as it stands in front of a port: an address of IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _refuse(name: str, value: str, meant: str) -> NoReturn:
    raise ImproperlyConfigured(f"{name} is {value[:80]!r}, which cannot be read: write {meant}.")
