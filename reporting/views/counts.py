"""The views of counted events, by quarter-hours and by days."""

from reporting.views import columns
from reporting.views.columns import POSTGRESQL, SQLITE
from reporting.views.view import CATEGORY, CHANNELS, EVENTS, NAMES, PARTNERS, TAGS, Column, View, as_stored

CELL, PROGRESS = "reporting_cell", "reporting_progress"
# What a bucket is by, as columns of the table of buckets, with the SQL that makes each of an event.
_CELLS = {
    "partner_id": PARTNERS["partner_id"],
    **TAGS,
    **NAMES,
    **CHANNELS,
    "country": "ISO 3166-1 code of the country",
    "browser": "Browser, from the user agent",
    "bot_reason": "Why the user agent is taken for a bot's; NULL if it is not, or nobody looked",
    "is_test": "True for events of test keys: leave them out, unless they are what you ask for",
    "currency": "ISO 4217, where the value of the events is one; else NULL",
    "value_issue": "Why the values of the events are none; NULL if they are, or there are none",
}


def of_bucket(vendor: str) -> dict[str, str]:
    """Return the columns of a bucket, its two times first, and the SQL that makes each of an event."""
    return {
        "arrived": columns.quarter(vendor, "e.received_at"),
        "quarter": columns.quarter(vendor, "e.timestamp"),
        **{name: f"e.{name}" for name in ("partner_id", "tag_id", "event_name", "channel")},
        "country": "e.geo_country",
        "browser": "e.ua_browser",
        "bot_reason": "e.ua_bot_reason",
        "is_test": "e.is_test",
        "currency": columns.currency(vendor),
        "value_issue": columns.value_issue(vendor),
    }


def _tail(vendor: str) -> str:
    """Return the SQL behind FROM of the events that are in no bucket yet: all that arrived since the last counting."""
    if vendor == POSTGRESQL:
        since = f"coalesce((SELECT max(until) FROM {PROGRESS}), '-infinity')"
        # The upper bound is none. With both bounds the planner takes the part for a small one, and its index.
        arrived = f"e.received_at >= {since} AND e.received_at < 'infinity'"
        return f"keys_partner AS k JOIN {EVENTS} AS e ON e.partner_id = k.id AND {arrived}"
    since = f"coalesce((SELECT max(until) FROM {PROGRESS}), '')"
    # CROSS JOIN keeps the order of the tables: partner by partner, through the index of arrivals.
    return f"keys_partner AS k CROSS JOIN {EVENTS} AS e ON e.partner_id = k.id AND e.received_at >= {since}"


def quarters(vendor: str) -> View:
    """Return the view of the counts by quarter-hours."""
    made = of_bucket(vendor) | {"events": "1", "value_e4": columns.value_e4(vendor)}
    of_tail = ", ".join(f"{sql} AS {name}" for name, sql in made.items())
    of_cells = ", ".join(made)
    both = f"(SELECT {of_cells} FROM {CELL} UNION ALL SELECT {of_tail} FROM {_tail(vendor)})"
    return View(
        "reporting_quarters",
        "Counts of events by quarter-hours: buckets that are kept up to date, and what is in none of them yet, counted "
        "while you read. Sums of it are exact. It has the totals of events that were pruned",
        [
            *as_stored(
                {
                    "arrived": "The quarter-hour in which the events arrived, by its beginning",
                    "quarter": "The quarter-hour in which the events happened (timestamp), by its beginning",
                    "partner_id": _CELLS["partner_id"],
                }
            ),
            Column("partner", "p.name", PARTNERS["partner"]),
            *as_stored({name: _CELLS[name] for name in ("tag_id", "event_name")}),
            CATEGORY,
            *as_stored({name: _CELLS[name] for name in list(_CELLS)[3:]}),
            *as_stored(
                {
                    "events": "How many events there are",
                    "value_e4": "The sum of their values in ten-thousandths of the currency; NULL without a currency",
                }
            ),
            Column("value", columns.in_units(vendor, "e.value_e4"), "The sum of their values, in the row's currency"),
        ],
        f"{both} AS e JOIN keys_partner AS p ON p.id = e.partner_id",
    )


def daily(vendor: str) -> View:
    """Return the view of the counts by days."""
    day = {POSTGRESQL: "(q.quarter AT TIME ZONE 'UTC')::date", SQLITE: "date(q.quarter)"}[vendor]
    by = ["partner_id", "partner", "tag_id", "event_name", "category"]
    by += ["channel", "country", "browser", "bot_reason", "currency", "value_issue"]
    sentences = {column.name: column.sentence for column in quarters(vendor).columns}
    total = columns.total(vendor, "q.value_e4")
    return View(
        "reporting_daily",
        "Counts of events by days of UTC, of all that reporting_quarters has but test events. For days of another time "
        "zone sum up reporting_quarters",
        [
            Column("day", day, "The day in UTC on which the events happened (timestamp)"),
            *(Column(name, f"q.{name}", sentences[name]) for name in by),
            Column("events", "sum(q.events)", sentences["events"]),
            Column("value_e4", total, sentences["value_e4"]),
            Column("value", columns.in_units(vendor, total), sentences["value"]),
        ],
        f"reporting_quarters AS q WHERE NOT q.is_test GROUP BY {day}, {', '.join(f'q.{name}' for name in by)}",
    )
