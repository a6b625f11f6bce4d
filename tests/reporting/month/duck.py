"""Another reader of the same month: DuckDB, of a file that `export_events` wrote, by SQL that is written out here."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb

# What the money of an event is, said once more. Only currencies that the month has are named.
_EVENTS = """
CREATE VIEW event AS
WITH sent AS (
    SELECT *, json_extract_string(params, '$.value') AS amount, json_type(params, '$.value') AS kind,
        json_extract_string(params, '$.currency') AS code
    FROM read_parquet(?) WHERE NOT is_test
), judged AS (
    SELECT *, CASE
        WHEN kind IS NULL OR kind = 'NULL' THEN NULL
        WHEN kind NOT IN ('BIGINT', 'UBIGINT', 'DOUBLE') THEN 'value_not_a_number'
        WHEN abs(CAST(amount AS DOUBLE)) >= 1e11 THEN 'value_out_of_range'
        WHEN code IS NULL THEN 'no_currency'
        WHEN upper(code) NOT IN ('EUR', 'USD', 'GBP', 'JPY', 'BHD') THEN 'unknown_currency'
    END AS issue FROM sent
)
SELECT *,
    CASE WHEN issue IS NULL AND kind <> 'NULL' THEN upper(code) END AS iso,
    CASE WHEN issue IS NULL AND kind <> 'NULL' THEN CAST(CAST(amount AS DECIMAL(18, 4)) * 10000 AS BIGINT) END AS e4
FROM judged
"""
_DAILY = """
SELECT
    CAST(timezone('UTC', timestamp) AS DATE), partner, tag_id, event_name, channel, geo_country, ua_browser, iso, issue,
    count(*), sum(e4)
FROM event GROUP BY ALL
"""
_ZONE = "SELECT CAST(timezone(?, timestamp) AS DATE), partner, count(*) FROM event GROUP BY ALL"
_CONVERSIONS = """
WITH report AS (
    SELECT *, row_number() OVER (
        PARTITION BY partner, event_name, coalesce(event_id, 'no id: ' || id) ORDER BY received_at, id
    ) AS place
    FROM event WHERE event_name IN ('order_created', 'lead_created', 'trial_started')
)
SELECT partner, event_name, iso, issue, count(*), sum(e4) FROM report WHERE place = 1 GROUP BY ALL
"""
_REPEATS = """
SELECT partner, event_name, CAST(sum(reports - 1) AS BIGINT)
FROM (
    SELECT partner, event_name, event_id, count(*) AS reports
    FROM event
    WHERE event_name IN ('order_created', 'lead_created', 'trial_started') AND event_id IS NOT NULL
    GROUP BY ALL
)
GROUP BY ALL
"""


class Duck:
    """The file, read by DuckDB."""

    def __init__(self, path: Path) -> None:
        self._duck = duckdb.connect(config={"threads": 2, "memory_limit": "4GB", "temp_directory": str(path.parent)})
        self._duck.execute("SET autoload_known_extensions = false")
        # A view has no parameters.
        self._duck.execute(_EVENTS.replace("?", f"'{path}'"))

    def _rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._duck.execute(sql, parameters).fetchall()

    def daily(self) -> dict[tuple[Any, ...], tuple[int, int | None]]:
        return {tuple(key): (events, _whole(e4)) for *key, events, e4 in self._rows(_DAILY)}

    def days(self, zone: str) -> dict[tuple[date, str], int]:
        return {(day, partner): events for day, partner, events in self._rows(_ZONE, zone)}

    def conversions(self) -> dict[tuple[Any, ...], tuple[int, int | None]]:
        return {tuple(key): (events, _whole(e4)) for *key, events, e4 in self._rows(_CONVERSIONS)}

    def repeats(self) -> dict[tuple[str, str], int]:
        return {(partner, name): number for partner, name, number in self._rows(_REPEATS)}


def _whole(sum_of: Any) -> int | None:
    return None if sum_of is None else int(sum_of)
