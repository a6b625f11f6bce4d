"""Makes Django's settings of the database from DATABASE_URL. Whatever is wrong with it is named.

No message shows the URL or what may be a part of its password.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from psycopg import pq

Options = Mapping[str, Any]

_POSTGRESQL = ("postgresql", "postgres", "pgsql", "psql", "pg")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_PLACE = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:]*))(?::(?P<port>\d*))?")

# The options that a URL may have, with their types: Django's own, which stand beside the driver's, and the driver's.
_OF_DJANGO = {"conn_max_age": int, "conn_health_checks": bool, "disable_server_side_cursors": bool}
_OF_SQLITE = {"timeout": float, "transaction_mode": str, "init_command": str}
_OF_POSTGRESQL = {
    **{option.keyword.decode(): str for option in pq.Conninfo.get_defaults()},
    **{"assume_role": str, "connect_timeout": int, "prepare_threshold": int, "server_side_binding": bool},
}
_FLAGS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
_VALUES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "transaction_mode": ("DEFERRED", "IMMEDIATE", "EXCLUSIVE"),
}
# What the user writes is put behind ours. Of a thing that is said twice the second counts.
_JOINED = ("options", "init_command")
# Options that Django has under names of its own.
_RENAMED = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


def sqlite(path: Path | str, options: Options) -> dict[str, Any]:
    """Return the settings of a file of SQLite. No character in the path has a meaning."""
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": dict(options)}


def of_url(url: str, base: Path, of_sqlite: Options, of_postgresql: Options) -> dict[str, Any]:
    """Return the settings of the database at `url`, whose options are added to ours. Raises ImproperlyConfigured.

    The path of a file is relative to `base`.
    """
    if url == "sqlite://:memory:":
        return sqlite(":memory:", of_sqlite)
    scheme = _SCHEME.match(url)
    if scheme is None:
        _refuse("is no URL")
    if "#" in url or re.search(r"\s", url):
        _refuse("has a # or a blank in it")
    try:
        parts = urlsplit(url)
    except ValueError:
        _refuse("cannot be read")
    if parts.scheme == "sqlite":
        return _with_options(sqlite(_file(parts, base), of_sqlite), parts.query, _OF_SQLITE)
    if parts.scheme in _POSTGRESQL:
        return _with_options(_postgresql(parts, of_postgresql), parts.query, _OF_POSTGRESQL)
    _refuse(f"begins with {scheme[0]}, and the server knows PostgreSQL and SQLite alone")


def _file(parts: SplitResult, base: Path) -> str:
    path = unquote(parts.path[1:])
    if parts.netloc or not path or path.endswith("/"):
        _refuse("names no file: sqlite:///PATH has three slashes, and a fourth where the path begins with one")
    return path if path == ":memory:" else str(base / path)


def _postgresql(parts: SplitResult, options: Options) -> dict[str, Any]:
    """Return the settings that the part before the options makes; the host may be the directory of a socket."""
    login, _, places = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    if "@" in parts.path:
        _refuse("has a / in front of the last @")
    pairs = [_place(unquote(place)) for place in places.split(",")]
    directory, _, name = unquote(parts.path[1:]).rpartition("/")
    return {
        "ENGINE": "runtime.postgresql",
        "NAME": name,
        "USER": unquote(user),
        "PASSWORD": unquote(password),
        "HOST": directory or ",".join(host for host, _ in pairs),
        "PORT": ",".join(port for _, port in pairs).strip(","),
        "OPTIONS": dict(options),
    }


def _place(text: str) -> tuple[str, str]:
    """Return the host and the port, each of which may be empty."""
    found = _PLACE.fullmatch(text)
    port = (found["port"] or "") if found else "none"
    if found is None or (port and not 0 < int(port) < 65_536):
        _refuse("has a port that is no number from 1 to 65535")
    return found["address"] or found["name"] or "", port


def _with_options(config: dict[str, Any], query: str, types: Mapping[str, type]) -> dict[str, Any]:
    """Add the options of the URL, each of which goes before ours of the same name."""
    for name, text in parse_qsl(query, keep_blank_values=True):
        if "@" in unquote(query) and name.lower() not in {**types, **_OF_DJANGO}:
            # A password that has a ? in it; what is behind looks like an option.
            _refuse("has a ? in front of the last @")
        value = _value(name.lower(), text, {**types, **_OF_DJANGO})
        if name.lower() in _OF_DJANGO:
            config[name.upper()] = value
        elif types is _OF_POSTGRESQL and name in _RENAMED:
            config[_RENAMED[name]] = value
        elif name in _JOINED and name in config["OPTIONS"]:
            config["OPTIONS"][name] += f" {value}"
        else:
            config["OPTIONS"][name] = value
    if not (config["NAME"] or "service" in config["OPTIONS"]):
        _refuse("names no database behind the host")
    return config


def _value(name: str, text: str, types: Mapping[str, type]) -> Any:
    """Return the value of an option as its type has it."""
    if name not in types:
        likely = get_close_matches(name, types, 1)
        _refuse(f"has the option {name!r}, which there is not" + (f": is it {likely[0]}?" if likely else ""))
    kind = types[name]
    try:
        value = _FLAGS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        _refuse(f"has an option {name} that is no {'flag' if kind is bool else 'number'}")
    if name in _VALUES and value not in _VALUES[name]:
        _refuse(f"has an option {name} that is none of {', '.join(_VALUES[name])}")
    return value


def _refuse(fault: str) -> NoReturn:
    raise ImproperlyConfigured(
        f"DATABASE_URL {fault}. Write postgresql://USER:PASSWORD@HOST:5432/NAME, or sqlite:///PATH. "
        "In a password write %40 for an @, and likewise for : / ? # and blanks."
    )
