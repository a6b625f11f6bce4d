"""What tests of the pages of reports ask, and of which events."""

from typing import Any

from django.test import Client

from keys.models import ApiKey
from tests.harness import factories
from tests.reporting.reports.stored import write

DAY = "from=2026-11-26&until=2026-11-27"


def three_orders() -> ApiKey:
    """A key of Acme, with two events of noon, and one of eleven in the evening before."""
    key = factories.issue()[0]
    for age, value in ((1, 5), (2, 7.5), (13 * 3_600, 2)):
        params = {"value": value, "currency": "EUR"}
        write(key, age=age, event_name="order_created", client_id=str(age), params=params)
    return key


def data(console: Client, address: str) -> dict[str, Any]:
    found: dict[str, Any] = console.get(f"/admin/reports/{address}").json()
    return found


def rows(found: dict[str, Any], table: str) -> list[Any]:
    (one,) = (one for one in found["answer"]["tables"] if one["name"] == table)
    return [list(row.values()) for row in one["rows"]]
