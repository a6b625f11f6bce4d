"""The queries of README.md over whatever senders may send."""

import json
import uuid
from decimal import Decimal

import pytest

from tests.e2e.deployment.samples import fences
from tests.harness import databases
from tests.harness.collector import Collector
from tests.harness.server import ROOT

QUERIES = dict(zip(("postgresql", "sqlite"), fences(ROOT / "README.md", "sql"), strict=True))


def test_query_adds_up_what_is_a_number_and_counts_what_is_none(collector: Collector) -> None:
    name = f"odd-{uuid.uuid4().hex}"
    values = [58.00, -8, 0.5, 1000, "58,00", "58.00", "", None, True, [1], {"amount": 5}]
    bodies = [b'{"value": %s, "currency": "EUR"}' % json.dumps(value).encode() for value in values]
    others = [b"{}", b'{"currency": ["EUR"]}', b'{"currency": {"a": 1}, "value": 1}']
    huge = [b'{"value": 1e308, "currency": "HUGE"}', b'{"value": %s, "currency": "HUGE"}' % (b"9" * 4000)]
    large = [b'{"value": 9223372036854775807, "currency": "LARGE"}'] * 2
    for params in (*bodies, *others, *huge, *large):
        answer = collector.post(b'{"event_name": "%s", "params": %s}' % (name.encode(), params))
        assert answer.status == 204
    query = QUERIES["sqlite" if databases.is_sqlite() else "postgresql"]
    found = {currency: rest for event, currency, *rest in collector.rows(query) if event == name}
    assert found["EUR"] == [11, Decimal("1050.5"), 7]
    assert found[None] == [1, None, 0]
    assert [row for currency, row in found.items() if "a" in (currency or "")] == [[1, 1, 0]]
    assert found["HUGE"][0::2] == [2, 0]
    assert float(found["LARGE"][1]) == pytest.approx(2 * 9223372036854775807)
