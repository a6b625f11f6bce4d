"""Takes the settings of `.env` into the environment, which wins. A line that cannot be read is named by its number.

The lines are not shown, because they may have secrets.
"""

import os
import re
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from runtime import environment

# In the environment of a server: the names that it has read from the file. Its workers do not read the file again, so
# that all of them have the same settings until a reload.
OF_FILE = "SETTINGS_OF_FILE"

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
_QUOTED = re.compile(r"""(?P<quote>['"])(?P<inner>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\s*(?:\#.*)?""")
_COMMENT = re.compile(r"\s#.*")

# The names in the file that was read last, for the check of misspelt ones.
names: list[str] = []


def take(directory: Path) -> None:
    """Read the file for a command or a worker: ENV_FILE, else `.env` in `directory`, where there may be none.

    A worker has the settings of the server that started it. Raises ImproperlyConfigured.
    """
    if OF_FILE not in os.environ:
        _check_workers()
        _set(_read(directory))


def _check_workers() -> None:
    """Refuse a number of workers that ends gunicorn in a traceback, before it reads anything of ours."""
    value = os.environ.get("WEB_CONCURRENCY", "1").strip()
    if not (value.isascii() and value.isdigit()):
        raise ImproperlyConfigured(
            f"WEB_CONCURRENCY is {value!r} in the environment, which gunicorn cannot read: "
            "write a whole number, or do not set it."
        )


def take_for_workers(directory: Path) -> None:
    """Read the file for a server, whose workers inherit the settings.

    A reload forgets those of the reading before, unless the file is gone: then they stay. Raises ImproperlyConfigured.
    """
    if OF_FILE in os.environ and not _path(directory).exists():
        return
    found = _read(directory)
    for name in os.environ.pop(OF_FILE, "").split():
        os.environ.pop(name, None)
    os.environ[OF_FILE] = " ".join(_set(found))


def _path(directory: Path) -> Path:
    return environment.path("ENV_FILE", directory / ".env", directory)


def _read(directory: Path) -> dict[str, str]:
    path = _path(directory)
    try:
        return parse(path.read_text("utf-8-sig"), str(path))
    except FileNotFoundError:
        if environment.text("ENV_FILE", ""):
            raise ImproperlyConfigured(f"ENV_FILE is {str(path)!r}, and there is no such file.") from None
        return {}
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{path} cannot be read: save it as UTF-8.") from None
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error.strerror}.") from None


def _set(found: dict[str, str]) -> list[str]:
    """Set what the environment does not have, or has blank, and return the names."""
    names[:] = found
    new = [name for name in found if not os.environ.get(name, "").strip()]
    os.environ.update((name, found[name]) for name in new)
    return new


def parse(text: str, place: str) -> dict[str, str]:
    """Return the settings in the text of a file. Raises ImproperlyConfigured with the place of a line that is none."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            raise ImproperlyConfigured(f"{place}, line {number}, cannot be read: write NAME=value, or # in front.")
        found[match[1]] = _value(match[2])
    return found


def _value(text: str) -> str:
    """Return a value without its quotes, or without the comment behind it, which has a blank in front."""
    quoted = _QUOTED.fullmatch(text.lstrip())
    if quoted is None:
        return _COMMENT.sub("", text, count=1).strip()
    if quoted["quote"] == "'":
        return quoted["inner"]
    return re.sub(r"\\(.)", lambda match: match[0] if match[1] in "rnt" else match[1], quoted["inner"])
