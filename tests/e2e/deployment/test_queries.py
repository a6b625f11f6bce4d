"""The query of README.md over whatever senders may send."""

import json
import uuid
from decimal import Decimal

from tests.e2e.deployment.samples import fences
from tests.harness.collector import Collector
from tests.harness.server import ROOT

(QUERY,) = fences(ROOT / "README.md", "sql")


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
    found = {currency: rest for _, event, currency, *rest in collector.rows(QUERY) if event == name}
    # What has no value, or none that is well-formed, is in no sum.
    assert found == {"EUR": [4, Decimal("1050.5")], None: [14, None]}
