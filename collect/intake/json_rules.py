"""What a JSON text must keep to before anything looks into it: one text rule, a depth, numbers that can be kept.

All rules work on the bytes, so `params`, `consent` and `extra` never become Python objects and every digit
stays as it was sent (contract, sections 2 and 3).
"""

import re

from runtime.hub import taking_turns
from runtime.refusals import Code, Refusal

MAX_DEPTH = 64
# PostgreSQL's numeric keeps 16,383 digits after the point; Python's int() is told the same bound in the settings.
MAX_NUMBER_LENGTH = 16_000
MIN_EXPONENT = -1_000

# Numbers between two looks at the clock: a body of a few kilobytes may unpack to millions of them.
_STEP = 1_000

# A number that may overflow or be too long is looked for where all digits and exponents are alike and signs are gone:
# fixed bytes are found sooner than a regular expression.
_ALIKE, _SIGNS = bytes.maketrans(b"123456789E", b"000000000e"), b"+-"
_LONG = b"0" * 200
# An exponent of three digits and what stands before it, read backwards: only what can precede a number makes it
# one, since iPhones say "Mobile/15E148" of themselves.
_EXPONENT = re.compile(rb"000e[0.]++(?:$|[:,\[\s])")
_ESCAPE = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"  # a pair: one character, kept
    rb"|(\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # U+0000 or half a pair
    rb"|\\."  # any other escape, so that `\\u0000` is read as a backslash and five characters
)
# Possessive, and content with a missing end quote: linear on any bytes.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?(?:[eE]([+-]?\d+))?")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")


def invalid(detail: str) -> Refusal:
    """Return the refusal of a body that is not acceptable JSON."""
    return Refusal(Code.INVALID_JSON, detail)


def clean(body: bytes) -> bytes:
    """Return `body` under the text rule: U+0000 and lone surrogates become U+FFFD, in keys and values.

    Raises `Refusal` (`invalid_json`) for what is not UTF-8, nests deeper than 64, or holds a number that
    overflows or that no database could keep. Whether it is JSON at all is the decoder's to say.
    """
    try:
        str(body, "utf-8")
    except UnicodeDecodeError as error:
        raise invalid(f"Body is not UTF-8 (byte {error.start})") from None
    check_depth(body)
    if _may_hold_excess(body.translate(_ALIKE, _SIGNS)):
        _check_numbers(body)
    # One byte is found much sooner than two.
    return _ESCAPE.sub(_replacement, body) if b"\\" in body and b"\\u" in body else body


def is_clean(text: bytes) -> bool:
    """Tell whether `clean` has nothing to do in `text`, nor in any part of it, but to check the depth."""
    try:
        str(text, "utf-8")
    except UnicodeDecodeError:
        return False
    return not (b"\\u" in text or _may_hold_excess(text.translate(_ALIKE, _SIGNS)))


def check_depth(body: bytes) -> None:
    """Raise `Refusal` (`invalid_json`) for a body that nests deeper than `MAX_DEPTH`."""
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_depth(body)


def _may_hold_excess(alike: bytes) -> bool:
    return _LONG in alike or (b"0e000" in alike and _EXPONENT.search(alike[::-1]) is not None)


def _replacement(match: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if match[2] else match[0]


def _check_depth(body: bytes) -> None:
    brackets = _STRING.sub(b"", body).translate(_AS_SQUARE, _NOT_BRACKETS)
    # Each pass takes the innermost level away: linear work in C, where a loop over 1 MiB would hold the worker.
    for _ in range(MAX_DEPTH):
        if b"[" not in brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if b"[[" in brackets or b"[]" in brackets:
        raise invalid(f"Nested deeper than {MAX_DEPTH} levels")


def _check_numbers(body: bytes) -> None:
    for match in taking_turns(_NUMBER.finditer(_STRING.sub(b'""', body)), _STEP):
        token, fraction, exponent = match.group(0, 1, 2)
        if len(token) > MAX_NUMBER_LENGTH:
            raise invalid(f"A number of more than {MAX_NUMBER_LENGTH} characters")
        if (fraction or exponent) and float(token) in (float("inf"), float("-inf")):
            raise invalid("A number is out of range")
        if exponent and int(exponent) < MIN_EXPONENT:
            raise invalid("A number is out of range")
