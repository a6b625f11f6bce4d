"""What the rows of one request have in common: taken out of their documents, and back in by the database."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collect import assembly
from collect.enrichment.city import Geo
from collect.intake import contract
from collect.intake.source import Source
from collect.models import Event
from collect.storage import store
from collect.storage.rows import Arrival, Common, Row, encode
from tests.harness import factories
from tests.harness.databases import is_sqlite

AT = datetime(2026, 3, 1, 12, 0, 0, 123, tzinfo=UTC)
BERLIN = Geo("DE", "Land Berlin", 'Ber"lin,', 52.52, 13.405)
META = {"HTTP_USER_AGENT": "svc"}


def source(**fields: Any) -> Source:
    defaults = {"partner_id": 1, "api_key_id": 2, "is_test": False, "received_at": AT, "ip_address": "192.0.2.7"}
    return Source(**{**defaults, "geo": BERLIN, **fields})


def row(source: Source, **fields: Any) -> Row:
    return assembly.build(contract.decode(json.dumps({"event_name": "x", **fields}).encode()), source)


def hostile(common: Common) -> dict[str, Any]:
    """An event that has the common columns, as they are written, wherever a sender can put something."""
    columns = json.loads(common.document)
    return {"event_name": common.document.decode()[:255], "event_id": "e", "params": columns, "consent": columns,
            "user_agent": common.document.decode(), "page_url": common.document.decode(), **columns}  # fmt: skip


SOURCES = [
    source(),
    source(geo=Geo()),
    source(ip_address=None, geo=Geo()),
    source(api_key_id=None, channel="import", is_test=True, received_at=AT.replace(microsecond=0)),
]


@pytest.mark.parametrize("of", SOURCES)
def test_common_columns_and_the_rest_are_the_whole_document(of: Source) -> None:
    common = Common(row(of))
    for sent in ({}, {"timestamp": 1_748_275_200.5, "params": {"a": [1]}}, hostile(common)):
        made = row(of, **{name: value for name, value in sent.items() if name != "timestamp" or value != AT})
        document = encode(made)
        rest = common.without(document)
        assert common.are_of(made)
        assert not json.loads(rest).keys() & json.loads(common.document).keys()
        assert json.loads(common.document) | json.loads(rest) == json.loads(document)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5), st.sampled_from(SOURCES))
def test_whatever_is_in_params_stays_there(params: dict[str, str], of: Source) -> None:
    common, made = Common(row(of)), row(of, params=params)
    whole = json.loads(encode(made))
    assert json.loads(common.document) | json.loads(common.without(encode(made))) == whole


@pytest.mark.parametrize(
    "other",
    [
        {"partner_id": 2}, {"api_key_id": 3}, {"is_test": True}, {"channel": "import"}, {"ip_address": "192.0.2.8"},
        {"geo": Geo()}, {"received_at": AT.replace(microsecond=124)},
    ],
)  # fmt: skip
def test_row_of_another_request_has_other_columns(other: dict[str, Any]) -> None:
    assert not Common(row(source())).are_of(row(source(**other)))


@pytest.mark.django_db
def test_rows_of_one_request_are_stored_as_rows_of_many() -> None:
    key, _ = factories.key()
    of = source(partner_id=key.partner_id, api_key_id=key.pk)
    common = Common(row(of))
    bodies = [{}, hostile(common) | {"event_id": "h"}, {"event_id": "a", "params": {"received_at": "x"}}]
    for meta in (META, {}):
        # Of one request they share its environment; of many each has its own.
        arrivals = [
            Arrival.of(row(of, **{**body, "event_id": f"{number}-{len(meta)}"}), b"", "r", meta=meta or dict(META))
            for number, body in enumerate(bodies)
        ]
        if not is_sqlite():
            assert store._parameters(arrivals)[0] == (common.document.decode() if meta else "{}")
        store.write(arrivals)
    left_out = ("id", "event_id")
    stored = [
        [{name: value for name, value in event.items() if name not in left_out} for event in found]
        for found in (
            Event.objects.filter(event_id__endswith=f"-{len(meta)}").order_by("event_id").values()
            for meta in (META, {})
        )
    ]
    assert stored[0] == stored[1]
    assert len(stored[0]) == len(bodies)
    assert stored[0][1]["params"] == json.loads(msgspec.json.encode(hostile(common)["params"]))
