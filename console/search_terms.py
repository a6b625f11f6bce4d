"""What somebody types into a search, made fit for an address: without the secret of a key, and not too long."""

from typing import NamedTuple

from keys import crypto

WHOLE_KEY = (
    "You searched for a whole key. Its secret was left out of the search and is kept nowhere here. If others may have "
    "seen it, in a log, a chat or a repository, it has leaked: find the key by its prefix and rotate or revoke it."
)
IN_ADDRESS = "The key was in the page's address, which browsers and proxies keep: treat it as leaked."
# More words, or a longer text, are more than SQLite takes in one condition.
WORDS, CHARACTERS = 30, 1_000


class Term(NamedTuple):
    """What to search for, and whether the secret of a key was left out of it."""

    text: str
    had_secret: bool


def read(typed: str) -> Term:
    """Return the text as it may stand in an address; of a whole key, wherever it stands in it, the prefix."""
    if (key := crypto.SECRET.search(typed)) is not None:
        return Term(key[1], had_secret=True)
    return Term(typed.strip()[:CHARACTERS], had_secret=False)
