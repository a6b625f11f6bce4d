"""The views of single events: all of them, the conversions, and the touches."""

from reporting.views import columns
from reporting.views.columns import POSTGRESQL, SQLITE
from reporting.views.view import (
    CATEGORY,
    CHANNELS,
    NAMES,
    OF_EVENTS,
    PARTNERS,
    TAGS,
    Column,
    View,
    as_stored,
    unless_empty,
)

_ID = {"id": "The id that the server gave the event: X-Event-Id of its answer"}
_TIMES = {
    "received_at": "When the server received the event",
    "timestamp": "When the event happened, as its sender said; else received_at",
}
_EVENT_ID = {"event_id": "The sender's id of the event, which is stored once per partner and tag"}
_PEOPLE = {
    "session_id": "The sender's id of the session",
    "client_id": "The sender's id of the person or device",
}
_ADS = {
    "click_id": "The id of the ad's click",
    "impression_id": "The id of the ad's impression",
    "bid_id": "The id of the bid",
}
_PARTNER = [
    Column("partner_id", "e.partner_id", PARTNERS["partner_id"]),
    Column("partner", "p.name", PARTNERS["partner"]),
]


def _money(vendor: str) -> list[Column]:
    value = columns.value_e4(vendor)
    return [
        Column(
            "value",
            columns.in_units(vendor, value),
            "params.value, to four decimals, if it is a number with a currency of ISO 4217; else NULL. "
            "Never add up two currencies",
        ),
        Column("value_e4", value, "value in ten-thousandths, a whole number: sums of it are exact on SQLite, too"),
        Column("currency", columns.currency(vendor), "params.currency in upper case, where value is one; else NULL"),
        Column(
            "value_issue",
            columns.value_issue(vendor),
            f"Why params.value is not in value: {', '.join(columns.VALUE_ISSUES)}; NULL if it is, or there is none",
        ),
    ]


_PAGES = {"page_url": "The address of the page, as sent", "referrer": "The address that led to the page, as sent"}
_ATTRIBUTION = {"attribution_type": "click, view, organic, or what else was sent"}
_JSON = {
    "consent": "The consent flags, as sent",
    "params": "The free-form properties, as sent",
    "extra": "Keys of the event that the contract does not know, as sent",
}
_ADDED = {
    "geo_country": "ISO 3166-1 code of the country, looked up by the address",
    "geo_region": "Region, looked up by the address",
    "geo_city": "City, looked up by the address",
    "geo_lat": "Latitude, looked up by the address",
    "geo_lon": "Longitude, looked up by the address",
    "ua_browser": "Browser, from the user agent",
    "ua_browser_version": "Version of the browser",
    "ua_os": "Operating system, from the user agent",
    "ua_os_version": "Version of the operating system",
    "ua_device": "Kind of device, from the user agent",
    "ua_device_brand": "Brand of the device",
    "ua_device_model": "Model of the device",
    "ua_is_bot": "True if the user agent is a bot's; bots are counted like all others",
    "ua_bot_reason": "Why it is called a bot's",
}


def events(vendor: str) -> View:
    """Return the view of all events."""
    key = {"api_key_id": "The number of the key that it came with; NULL if it was imported"}
    return View(
        "reporting_events",
        "One row per event. Events of test keys are not in it",
        [
            *as_stored(_ID | _TIMES),
            *_PARTNER,
            *as_stored(key | CHANNELS | NAMES),
            CATEGORY,
            *as_stored(TAGS | _EVENT_ID | _PAGES | _PEOPLE | _ADS | _ATTRIBUTION | _JSON | _ADDED),
            *_money(vendor),
        ],
        f"{OF_EVENTS} WHERE NOT e.is_test",
    )


def _repeated(vendor: str) -> str:
    """Return the SELECT of all reports of each conversion, with the place of each among them and what the first has."""
    money = {column.name: column.sql for column in _money(vendor)}
    firsts = ", ".join(f"first_value({money[name]}) OVER one AS first_{name}" for name in _COMPARED)
    others = ", ".join(f"{sql} AS {name}" for name, sql in money.items())
    # An event without an id is nobody's repetition.
    once = "e.partner_id, e.event_name, e.event_id, CASE WHEN e.event_id IS NULL THEN e.id END"
    return (
        f"SELECT e.*, p.name AS partner, {others}, row_number() OVER one AS place, {firsts} "
        f"FROM {OF_EVENTS} WHERE NOT e.is_test AND {columns.is_conversion()} "
        f"WINDOW one AS (PARTITION BY {once} ORDER BY e.received_at, e.id)"
    )


_COMPARED = ("value_e4", "currency", "value_issue")


def conversions(vendor: str) -> View:
    """Return the view of conversions, each of which is in it once."""
    differs = {POSTGRESQL: "IS DISTINCT FROM", SQLITE: "IS NOT"}[vendor]
    differing = " OR ".join(f"r.{name} {differs} r.first_{name}" for name in _COMPARED)
    once = "r.partner_id, r.event_name, r.event_id, CASE WHEN r.event_id IS NULL THEN r.id END"
    counted = (
        f"SELECT r.*, count(*) OVER one - 1 AS repeats, count(CASE WHEN {differing} THEN 1 END) OVER one AS differing "
        f"FROM ({_repeated(vendor)}) AS r WINDOW one AS (PARTITION BY {once})"
    )
    return View(
        "reporting_conversions",
        f"One row per conversion: {', '.join(columns.CONVERSIONS)}. Reports of one event_id by the same partner, under "
        "other tags or by other channels, count once: the first received",
        [
            *as_stored(_ID | _TIMES | PARTNERS | NAMES),
            CATEGORY,
            *as_stored(_EVENT_ID | TAGS | CHANNELS),
            *unless_empty(_PEOPLE | _ADS),
            *as_stored(
                _ATTRIBUTION
                | {column.name: column.sentence for column in _money(vendor)}
                | {
                    "repeats": "How many later reports of the same conversion were left out",
                    "differing": "How many of those have another value or currency than the first",
                }
            ),
        ],
        f"({counted}) AS e WHERE e.place = 1",
    )


def touches(vendor: str) -> View:
    """Return the view of events that show a touch."""
    return View(
        "reporting_touches",
        "One row per event that shows a touch: that somebody clicked on or saw an ad. Rows of one partner, kind and "
        "interaction are one touch, at the earliest that matches a conversion",
        [
            *as_stored(_ID | _TIMES),
            *_PARTNER,
            Column(
                "kind",
                columns.kind_of_touch(),
                "click or view: attribution_type; without one a click if there is a click_id, else a view if there is "
                "an impression_id",
            ),
            Column(
                "interaction",
                columns.interaction(),
                "The click_id of a click, the impression_id of a view; else another of the ad's ids; NULL without any",
            ),
            *as_stored(NAMES | _EVENT_ID | TAGS),
            *unless_empty(_PEOPLE | _ADS),
        ],
        f"{OF_EVENTS} WHERE NOT e.is_test AND {columns.kind_of_touch()} IS NOT NULL",
    )
