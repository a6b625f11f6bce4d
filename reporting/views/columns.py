"""SQL of what is derived from an event, a row `e` of `collect_event`, for both databases. No other module derives it.

SQLite has no decimal numbers: what is added up is `value_e4`, a whole number of ten-thousandths, on both databases.
"""

from collections.abc import Iterable

from collect.intake.contract import STANDARD_EVENTS
from reporting.views.currencies import DECIMALS

POSTGRESQL, SQLITE = VENDORS = ("postgresql", "sqlite")

# Four decimals are those of the finest currency. Up to here a double, which SQLite calculates with, is exact.
SCALE = 10_000
VALUE_LIMIT = 10**11
NOT_A_NUMBER, OUT_OF_RANGE = "value_not_a_number", "value_out_of_range"
NO_CURRENCY, UNKNOWN_CURRENCY = "no_currency", "unknown_currency"
# Why the value of an event is not added up.
VALUE_ISSUES = (NOT_A_NUMBER, OUT_OF_RANGE, NO_CURRENCY, UNKNOWN_CURRENCY)

# The standard events that are what an advertiser pays for (contract, section 1): the end of a path, not a step of it.
CONVERSIONS = (
    "order_created",
    "lead_created",
    "appointment_scheduled",
    "registration_completed",
    "trial_started",
    "subscription_created",
)
CUSTOM = "custom"
CLICK, VIEW = "click", "view"
QUARTER_SECONDS = 900


def texts(values: Iterable[str]) -> str:
    """Return texts of our own as a list of SQL."""
    return ", ".join(f"'{value}'" for value in values)


# What the two databases call a part of `params`: its type, its number and its text.
_TYPE = {POSTGRESQL: "jsonb_typeof(e.params -> '{}')", SQLITE: "json_type(e.params, '$.{}')"}
_NUMBER = {POSTGRESQL: "(e.params ->> '{}')::numeric", SQLITE: "json_extract(e.params, '$.{}')"}
_UPPER = {
    # In the collation "C" upper case is that of ASCII, whatever the language of the database.
    POSTGRESQL: "upper((e.params ->> 'currency') COLLATE \"C\")",
    SQLITE: "upper(json_extract(e.params, '$.currency'))",
}
_IS_NUMBER = {POSTGRESQL: "= 'number'", SQLITE: "IN ('integer', 'real')"}
_TEXT = {POSTGRESQL: "string", SQLITE: "text"}


def value_issue(vendor: str) -> str:
    """Return the SQL of why the value of an event is none; NULL where it is one, or there is none."""
    value, currency = (_TYPE[vendor].format(name) for name in ("value", "currency"))
    return (
        f"CASE WHEN coalesce({value}, 'null') = 'null' THEN NULL "
        f"WHEN NOT {value} {_IS_NUMBER[vendor]} THEN '{NOT_A_NUMBER}' "
        f"WHEN abs({_NUMBER[vendor].format('value')}) >= {VALUE_LIMIT} THEN '{OUT_OF_RANGE}' "
        f"WHEN coalesce({currency}, 'null') = 'null' THEN '{NO_CURRENCY}' "
        f"WHEN {currency} <> '{_TEXT[vendor]}' THEN '{UNKNOWN_CURRENCY}' "
        f"WHEN {_UPPER[vendor]} NOT IN ({texts(DECIMALS)}) THEN '{UNKNOWN_CURRENCY}' END"
    )


def _where_well_formed(vendor: str, sql: str) -> str:
    there = f"{_TYPE[vendor].format('value')} {_IS_NUMBER[vendor]}"
    return f"CASE WHEN {there} AND ({value_issue(vendor)}) IS NULL THEN {sql} END"


def value_e4(vendor: str) -> str:
    """Return the SQL of the value in ten-thousandths, a whole number; NULL where it is not well-formed."""
    type = {POSTGRESQL: "bigint", SQLITE: "integer"}[vendor]
    return _where_well_formed(vendor, f"CAST(round({_NUMBER[vendor].format('value')} * {SCALE}) AS {type})")


def currency(vendor: str) -> str:
    """Return the SQL of the currency, a code of ISO 4217; NULL where the value is not well-formed."""
    return _where_well_formed(vendor, _UPPER[vendor])


def in_units(vendor: str, value_e4: str) -> str:
    """Return the SQL of ten-thousandths in units of the currency."""
    if vendor == POSTGRESQL:
        return f"round(({value_e4}) * 0.0001, 4)"
    return f"({value_e4}) / {SCALE}.0"


def total(vendor: str, value_e4: str) -> str:
    """Return the SQL of the sum of ten-thousandths. SQLite fails if a sum has more than 64 bits; this one rounds it."""
    if vendor == POSTGRESQL:
        return f"sum({value_e4})"
    # In two parts. Sums overflow with an error there, products do not.
    return f"(sum({value_e4} / 1000000000) * 1000000000 + sum({value_e4} % 1000000000))"


def category() -> str:
    """Return the SQL of the category that the taxonomy gives the event's name."""
    cases = " ".join(f"WHEN '{name}' THEN '{category}'" for name, category in STANDARD_EVENTS.items())
    return f"CASE e.event_name {cases} ELSE '{CUSTOM}' END"


def quarter(vendor: str, moment: str) -> str:
    """Return the SQL of the beginning of the quarter-hour of a moment, in the form of the database's moments."""
    if vendor == POSTGRESQL:
        return f"date_bin('15 minutes', {moment}, TIMESTAMPTZ '1970-01-01 00:00:00+00')"
    # Of whole seconds: SQLite rounds to milliseconds, and what is half of one before a border would be behind it.
    seconds = f"strftime('%s', substr({moment}, 1, 19))"
    return f"datetime({seconds} / {QUARTER_SECONDS} * {QUARTER_SECONDS}, 'unixepoch')"


def is_conversion() -> str:
    """Return the SQL of whether the event is a conversion."""
    return f"e.event_name IN ({texts(CONVERSIONS)})"


def kind_of_touch() -> str:
    """Return the SQL of what kind of touch an event shows: a click, a view or, NULL, none.

    `attribution_type` decides. If the sender has not set it, the ids that an ad's click or impression left decide.
    """
    return (
        f"CASE WHEN e.attribution_type IN ('{CLICK}', '{VIEW}') THEN e.attribution_type "
        "WHEN e.attribution_type IS NOT NULL THEN NULL "
        f"WHEN e.click_id <> '' THEN '{CLICK}' WHEN e.impression_id <> '' THEN '{VIEW}' END"
    )


def interaction() -> str:
    """Return the SQL of the ad's interaction that an event belongs to; NULL where it has no id of one."""
    of_view = "nullif(e.impression_id, ''), nullif(e.click_id, ''), nullif(e.bid_id, '')"
    of_click = "nullif(e.click_id, ''), nullif(e.impression_id, ''), nullif(e.bid_id, '')"
    return f"CASE {kind_of_touch()} WHEN '{VIEW}' THEN coalesce({of_view}) ELSE coalesce({of_click}) END"
