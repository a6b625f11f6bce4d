"""System checks of settings that can be read and yet do not do what was meant: each names the setting and the slip.

Those with the tag are run by the server too, before it serves (`thrad_events/start.py`).
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from runtime import addresses, env_file, environment
from runtime.environment import TAG

# How alike a name has to be to be called a slip: in the file of settings, and among all that an environment has.
ALIKE, VERY_ALIKE = 0.8, 0.9

_NAME = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
_HOST = re.compile(rf"\.?{_NAME}|\[[0-9a-f:.]+\]", re.IGNORECASE)
_ORIGIN = re.compile(rf"https?://((\*\.)?{_NAME}|\[[0-9a-f:.]+\])(:[1-9][0-9]*)?")
_USUAL_PORT = re.compile(r"http://.*:80|https://.*:443")


@register(TAG)
def networks(**_: Any) -> Sequence[CheckMessage]:
    """Return collect.E001 for each entry of TRUSTED_PROXIES and METRICS_ALLOW that is not a network."""
    names = ("TRUSTED_PROXIES", "METRICS_ALLOW")
    return [error for name in names for entry in getattr(settings, name) if (error := _network_error(name, entry))]


def _network_error(name: str, entry: str) -> Error | None:
    try:
        addresses.networks([entry])
    except ValueError:
        hint = "Write CIDRs with commas between them, such as 10.0.0.0/8,fd00::/8; names are not looked up."
        if entry == "*":
            hint = "Write the networks; every address is 0.0.0.0/0,::/0" + (
                ", and then anybody may name any address as his own." if name == "TRUSTED_PROXIES" else "."
            )
        return Error(f"{name}: {entry!r} is not a network", hint=hint, id="collect.E001")
    return None


@register(deploy=True)
def trusted_networks(**_: Any) -> Sequence[CheckMessage]:
    """Return settings.W002 if every address is trusted to say who its client is."""
    all_of_them = [entry for entry in settings.TRUSTED_PROXIES if entry.endswith("/0")]
    hint = "Write the networks of your proxies alone: anybody else can now send any address as his own."
    return [Warning(f"TRUSTED_PROXIES: {entry!r} is everybody", hint=hint, id="settings.W002") for entry in all_of_them]


@register(TAG)
def hosts(**_: Any) -> Sequence[CheckMessage]:
    """Return settings.E001 for each entry of ALLOWED_HOSTS that no request can match."""
    return [
        Error(f"ALLOWED_HOSTS: {entry!r} matches no host", hint=_host_hint(entry), id="settings.E001")
        for entry in settings.ALLOWED_HOSTS
        if entry != "*" and not _HOST.fullmatch(entry)
    ]


def _host_hint(entry: str) -> str:
    if entry.startswith("*."):
        return f"Write {entry[1:]} for the domain and all below it."
    if entry.count(":") > 1 and "/" not in entry and "[" not in entry:
        return f"Write an address of IPv6 in brackets, [{entry}]."
    host = urlsplit(entry if "://" in entry else f"//{entry}").netloc.rpartition(":")[0] or entry
    if not host.isascii():
        with suppress(UnicodeError):
            return f"Write the name as browsers send it, {host.encode('idna').decode()}."
    return "Write the name alone, such as events.example.com: no scheme, port, path or dot at the end."


@register(TAG)
def origins(**_: Any) -> Sequence[CheckMessage]:
    """Return settings.E002 for each entry of CSRF_TRUSTED_ORIGINS that no browser sends."""
    return [
        Error(
            f"CSRF_TRUSTED_ORIGINS: {entry!r} is not an origin",
            hint="Write it as browsers send it, such as https://events.example.com: a scheme, and nothing behind the "
            "host but a port that is not the usual one.",
            id="settings.E002",
        )
        for entry in settings.CSRF_TRUSTED_ORIGINS
        if not _ORIGIN.fullmatch(entry) or _USUAL_PORT.fullmatch(entry)
    ]


# Without the tag: a worker that starts while a disk is away would end the server.
@register()
def paths(**_: Any) -> Sequence[CheckMessage]:
    """Return settings.E003 for each path of a file that cannot be written for what is, or is not, in its place."""
    found = list(_path_errors())
    return [Error(message, hint="Is there a slip in the path?", id="settings.E003") for message in found]


def _path_errors() -> Iterator[str]:
    name = "DATABASE_URL" if settings.DATABASE_URL else "VAR_DIR"
    database = str(settings.DATABASES["default"]["NAME"])
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") and database != ":memory:":
        if not Path(database).parent.is_dir():
            yield f"{name}: there is no directory {str(Path(database).parent)!r}"
        elif Path(database).is_dir():
            yield f"{name}: {database!r} is a directory, and has to be a file"
    spool = Path(settings.SPOOL_PATH)
    if spool.is_dir():
        yield f"SPOOL_PATH: {str(spool)!r} is a directory, and has to be a file, such as spool.sqlite3 in it"
    elif str(spool) == database:
        yield f"SPOOL_PATH: {str(spool)!r} is the database, and has to be a file of its own"
    elif blocking := next((parent for parent in spool.parents if parent.exists() and not parent.is_dir()), None):
        yield f"SPOOL_PATH: {str(blocking)!r} is no directory"


@register()
def names(**_: Any) -> Sequence[CheckMessage]:
    """Return settings.W001 for each name in the file of settings that looks like a slip in one that there is."""
    return _misspelt(env_file.names, ALIKE)


@register(deploy=True)
def names_in_environment(**_: Any) -> Sequence[CheckMessage]:
    """Return settings.W001 for the names in the environment, which other programs have theirs in, too."""
    return _misspelt([name for name in os.environ if name not in env_file.names], VERY_ALIKE)


def _misspelt(found: Sequence[str], alike: float) -> Sequence[CheckMessage]:
    unknown = [name for name in found if name not in environment.known]
    likely = {name: get_close_matches(name.upper(), environment.known, 1, alike) for name in unknown}
    return [
        Warning(f"{name} is no setting of the server", hint=f"Is it {match}?", id="settings.W001")
        for name, (match, *_) in ((name, matches) for name, matches in likely.items() if matches)
    ]
