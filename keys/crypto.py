"""The shape of a raw key and what is kept of it; pure, and the only place that knows either.

A raw key is `thrad_live_<id>_<secret><crc>` (or `thrad_test_…`): an id of 12 base62 characters that may be
shown, 32 random bytes as 43 base62 characters, and the CRC-32 of everything before it as 6. The CRC proves
nothing about the sender; it lets a typo or a random string be refused without asking the database, and lets
secret scanners recognise a key with certainty.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
LIVE, TEST = "thrad_live", "thrad_test"
ID_LENGTH = 12
SECRET_BYTES = 32
SECRET_LENGTH = 43
CRC_LENGTH = 6

# The public prefix of a key. Ids of another length are other databases', whose events were imported.
PREFIX = re.compile(rf"(?:{LIVE}|{TEST})_[0-9A-Za-z]{{1,{ID_LENGTH}}}\Z")
# A raw key in any text, such as a log line, whole or cut off; the group is the public prefix.
SECRET = re.compile(rf"((?:{LIVE}|{TEST})_[0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]+")
# A character of a key as an address may spell it, encoded once or more.
_ENCODED = re.compile(r"%(?:25)*([0-9A-Fa-f]{2})")
SHAPE = re.compile(rf"(?:{LIVE}|{TEST})_[0-9A-Za-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{SECRET_LENGTH + CRC_LENGTH}}}")


def _base62(number: int, width: int) -> str:
    """Return `number` with leading zeros, so that every key has one length and the CRC one place."""
    characters = []
    for _ in range(width):
        number, digit = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[digit])
    return "".join(reversed(characters))


def _crc(text: str) -> str:
    return _base62(zlib.crc32(text.encode("ascii")), CRC_LENGTH)


def make(*, is_test: bool) -> str:
    """Return a new raw key from the system's random source."""
    public_id = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))
    secret = _base62(int.from_bytes(secrets.token_bytes(SECRET_BYTES)), SECRET_LENGTH)
    body = f"{TEST if is_test else LIVE}_{public_id}_{secret}"
    return seal(body)


def seal(body: str) -> str:
    """Return the raw key of a prefix and a secret, with its CRC."""
    return body + _crc(body)


def prefix_of(raw_key: str) -> str:
    """Return the part of a raw key that may be shown and stored: all up to its last underscore."""
    return raw_key.rpartition("_")[0]


def parse(raw_key: str) -> str | None:
    """Return the prefix of what may be a raw key, or None where it cannot be one of ours."""
    if SHAPE.fullmatch(raw_key) is None or _crc(raw_key[:-CRC_LENGTH]) != raw_key[-CRC_LENGTH:]:
        return None
    return prefix_of(raw_key)


def masked(text: str, mark: str = "…") -> str:
    """Return `text` with `mark` in the place of the secret of each raw key, also of one that is percent-encoded.

    Of a text with such a one all letters, digits and underscores are decoded; any other text stays as it is.
    """
    if SECRET.search(text):
        text = SECRET.sub(rf"\1_{mark}", text)
    if "%" in text and SECRET.search(decoded := _ENCODED.sub(_plain, text)):
        return SECRET.sub(rf"\1_{mark}", decoded)
    return text


def _plain(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character == "_" or character in ALPHABET else escape[0]


def digest(raw_key: str) -> str:
    """Return what is stored of a raw key: SHA-256 in hex.

    No salt and no slow hash: the secret has 256 random bits, so there is nothing to guess or to tabulate.
    """
    return hashlib.sha256(raw_key.encode()).hexdigest()


def matches(raw_key: str, stored_digest: str) -> bool:
    """Tell whether the digest is that of the raw key, in a time that does not show how much of it agrees."""
    return hmac.compare_digest(digest(raw_key), stored_digest)
