"""Amounts and currencies of a partner's file: exact, in plain decimal notation, or refused with the likely cause.

An amount is a whole number of ten-thousandths, as `value_e4` of the views is, so that both are compared as they are.
"""

import re
from decimal import ROUND_HALF_UP, Decimal

from reporting.views.columns import SCALE, VALUE_LIMIT
from reporting.views.currencies import DECIMALS

_PLAIN = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_EITHER = re.compile(r"-?\d{1,3},\d{3}", re.ASCII)
_EXPONENT = re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+", re.ASCII)
_GROUPED = re.compile(r"-?\d{1,3}(?:,\d{3})+\.\d+|-?\d{1,3}(?:,\d{3}){2,}", re.ASCII)
_COMMA = re.compile(r"-?\d+(?:[.' \u00a0\u202f]\d{3})*,\d+", re.ASCII)
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
# More digits than any amount has, and few enough to show.
_LONGEST = 60


def amount_of(text: str) -> int:
    """Return the ten-thousandths of an amount; what is finer is rounded as the views do. Raises ValueError."""
    text = text.strip()
    if len(text) > _LONGEST or _PLAIN.fullmatch(text) is None:
        raise ValueError(f"amount {text[:_LONGEST]!r} cannot be read: {_cause(text[:_LONGEST])}")
    amount = Decimal(text)
    if abs(amount) >= VALUE_LIMIT:
        raise ValueError(f"amount {text} is out of range: reports count amounts below {VALUE_LIMIT:,}")
    return int((amount * SCALE).to_integral_value(ROUND_HALF_UP))


def _cause(text: str) -> str:
    if _GROUPED.fullmatch(text):
        return f"its commas seem to separate thousands; write {text.replace(',', '')}"
    if _EITHER.fullmatch(text):
        whole, fraction = text.replace(",", ""), text.replace(",", ".")
        return f"its comma separates thousands or decimals; write {whole} or {fraction}"
    if _COMMA.fullmatch(text):
        return f"its comma seems to be a decimal comma; write {re.sub('[^0-9,-]', '', text).replace(',', '.')}"
    if _EXPONENT.fullmatch(text):
        return "it has an exponent; write all digits, as 1234.50"
    if re.search(r"\d", text) and re.search(r"[^\d.,'\s+-]", text):
        return "write the number alone, and the currency in a column of its own"
    return "write it as 1234.50"


def currency_of(text: str) -> str:
    """Return the code of a currency in upper case. Raises ValueError for what ISO 4217 does not have."""
    code = text.strip().upper()
    if code in DECIMALS:
        return code
    advice = "" if _CODE.fullmatch(code) else ": write its code, as EUR"
    raise ValueError(f"currency {text.strip()[:20]!r} is none of ISO 4217{advice}")


def units(amount: int) -> Decimal:
    """Return ten-thousandths in units of the currency."""
    return Decimal(amount) / SCALE


def written(amount: int) -> str:
    """Return ten-thousandths as a number of JSON, without zeros that say nothing."""
    text = f"{units(amount):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def smallest(units: int, currency: str) -> int:
    """Return so many of the currency's smallest units in ten-thousandths."""
    return units * SCALE // int(10 ** DECIMALS[currency])
