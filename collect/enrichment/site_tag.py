"""The tag of an event that was sent without one: the host of its page, as the WHATWG URL standard reads it."""

import re
from functools import lru_cache

import ada_url

UNKNOWN = "site:unknown"
# DNS has no longer names, and an entry of an index must stay below PostgreSQL's limit.
_MAX_HOST = 253
# No page has a longer URL, and to read a megabyte of one would tell nothing.
MAX_URL = 64 * 1024
# Up to where the path, the query or the fragment begins (https://url.spec.whatwg.org/#authority-state).
_PAGE = re.compile(r"https?://[^/\\?#\x00-\x20]+(?=[/\\?#]|\Z)")
_MAX_CACHED = 512


def tag_for(page_url: str | None, origin: str | None, referer: str | None) -> str:
    """Return `site:<host>` of the first of the three that has a host, else `site:unknown` (contract, section 3).

    The host is in lower case and IDNA, without port and userinfo; subdomains and `www.` stay.
    """
    for url in (page_url, origin, referer):
        if url and len(url) <= MAX_URL and (host := _host(url)):
            return f"site:{host}"
    return UNKNOWN


def _host(url: str) -> str | None:
    # Nothing after the authority changes the host of a page, and a site has many pages: so cache by the authority.
    page = _PAGE.match(url)
    return _of_site(page[0]) if page and len(page[0]) <= _MAX_CACHED else _parse(url)


def _parse(url: str) -> str | None:
    try:
        host: str = ada_url.URL(url).hostname
    except (ValueError, UnicodeEncodeError):
        return None
    return host.lower() if 0 < len(host) <= _MAX_HOST else None


_of_site = lru_cache(10_000)(_parse)
