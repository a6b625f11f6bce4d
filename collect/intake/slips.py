"""How a wrong value in a field came about, where it can be told: words behind the message, or none."""

import re

from msgspec import Raw


def no_number(raw: Raw) -> str:
    """Return what is to be sent in place of a text that has a time in it."""
    if re.match(rb'"\s*+\d++(\.\d++)?\s*+"', raw):
        return ", not a text: send it without quotes"
    if re.match(rb'"\s*+\d{4}-\d\d', raw):
        return ", not a text: send a date as seconds since 1970, such as 1748275200"
    return ""


def no_year(number: float) -> str:
    """Return the unit in which a number that is no moment would lie in the years 1990 to 2100."""
    for unit, in_a_second in (("microseconds", 1e6), ("nanoseconds", 1e9)):
        if 6.3e8 * in_a_second < number < 4.1e9 * in_a_second:
            return f": it looks like {unit}, send seconds or milliseconds"
    return ""


def no_object(raw: Raw) -> str:
    """Return how an empty array, or a text with an object in it, came to stand where an object belongs."""
    if re.match(rb"\[\s*+\]", raw):
        return ", not an array: PHP encodes an empty one so, send {} or leave it out"
    if re.match(rb'"\s*+\{', raw):
        return ", not a text: it seems to be encoded as JSON twice"
    return ""
