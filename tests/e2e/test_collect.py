"""The main job from outside: URL to row, through gunicorn and the database."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness.collector import Collector
from tests.harness.factories import SEED_EVENT

CHROME = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36"
)


def test_curl_of_the_page_stores_one_enriched_row(collector: Collector) -> None:
    sent = {**SEED_EVENT, "event_id": "curl-1", "user_agent": CHROME}
    command = [
        "curl", "-s", "-i", "-X", "POST", f"{collector.server.url}/api/collect",
        "-H", f"Authorization: Bearer {collector.raw_key}",
        "-H", "Content-Type: application/json",
        "-d", json.dumps(sent),
    ]  # fmt: skip
    answer = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert answer.startswith("HTTP/1.1 204 No Content\r\n")
    assert answer.endswith("\r\n\r\n")
    columns = (
        "event_name, tag_id, click_id, session_id, channel, ip_address, geo_country, geo_region, geo_city, geo_lat, "
        "geo_lon, ua_browser, ua_browser_version, ua_os, ua_os_version, ua_device, ua_device_brand, ua_is_bot"
    )
    rows = collector.rows(f"SELECT {columns} FROM collect_event WHERE event_id = 'curl-1'")
    assert [tuple(map(str, row[:5])) for row in rows] == [("items_added", "tag_1", "clk_xyz", "sess_abc", "server")]
    assert str(rows[0][5]) == "127.0.0.1"
    assert rows[0][6:11] == ("DE", "Land Berlin", "Berlin", 52.52, 13.405)
    assert rows[0][11:17] == ("Chrome", "120.0.0.0", "Mac OS X", "10.15.7", "Mac", "Apple")
    assert not rows[0][17]
    assert f"X-Event-Id: {_id(collector, 'curl-1')}" in answer


def test_answers_say_how_long_they_are(collector: Collector) -> None:
    stored, refused = collector.post({**SEED_EVENT, "event_id": "framed"}), collector.post({})
    assert "Content-Length" not in stored.headers  # a 204 has none: RFC 9110, section 8.6
    assert refused.headers["Content-Length"] == str(len(refused.body))
    assert "Transfer-Encoding" not in stored.headers | refused.headers


def test_second_time_is_a_duplicate_and_another_body_a_conflict(collector: Collector) -> None:
    sent = {**SEED_EVENT, "event_id": "twice"}
    answers = [
        collector.post(sent),
        collector.post(sent),
        collector.post({**sent, "params": {"quantity": 3}}, X_Request_Id="third"),
    ]
    assert [answer.status for answer in answers] == [204, 204, 204]
    assert [answer.headers["X-Event-Outcome"] for answer in answers] == ["stored", "duplicate", "conflict"]
    assert {answer.headers["X-Event-Id"] for answer in answers} == {_id(collector, "twice")}
    stored = collector.rows("SELECT params FROM collect_event WHERE event_id = 'twice'")
    assert [_object(row[0]) for row in stored] == [SEED_EVENT["params"]]
    (kept,) = collector.rows("SELECT code, errors, body FROM collect_rejection WHERE request_id = 'third'")
    assert _object(kept[1]) == {"params": ["differs"]}
    assert json.loads(bytes(kept[2]))["params"] == {"quantity": 3}


def test_same_event_from_many_sides_at_once_is_one_row(collector: Collector) -> None:
    sent = {**SEED_EVENT, "event_id": "crowd"}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: collector.post(sent), range(48)))
    assert {answer.status for answer in answers} == {204}
    outcomes = [answer.headers["X-Event-Outcome"] for answer in answers]
    assert sorted(outcomes) == ["duplicate"] * 47 + ["stored"]
    assert len({answer.headers["X-Event-Id"] for answer in answers}) == 1


def test_batch_answers_each_event_and_stores_the_good_ones(collector: Collector) -> None:
    good = [{**SEED_EVENT, "event_id": f"batch-{n}"} for n in range(20)]
    events = [*good[:10], {"params": 1}, *good[10:], good[0], {**good[1], "click_id": "other"}]
    answer = collector.post({"events": events}, "/api/collect/batch")
    assert answer.status == 200
    assert answer.json() == {
        "stored": 20,
        "duplicates": 1,
        "conflicts": 1,
        "spooled": 0,
        "rejected": [
            {
                "index": 10,
                "code": "invalid_event",
                "detail": "event_name: required; params: must be an object",
                "errors": {"event_name": ["required"], "params": ["must be an object"]},
            }
        ],
    }
    assert collector.rows("SELECT count(*) FROM collect_event WHERE event_id LIKE 'batch-%'") == [(20,)]


def test_chunked_body_without_content_length_is_stored(collector: Collector) -> None:
    body = json.dumps({**SEED_EVENT, "event_id": "chunked"}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:50], body[50:]))
    answer = collector.raw(collector.head(Transfer_Encoding="chunked") + chunks + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 204")
    assert _id(collector, "chunked")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_answers_without_a_key(collector: Collector, path: str) -> None:
    answer = collector.request("GET", path, Authorization=None)
    assert answer.status == 200
    if path == "/readyz":
        checks = answer.json()["checks"]
        assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(checks, "ok")
        assert {"database", "migrations", "geo"} <= set(checks)
        assert all(check["ms"] >= 0 for check in checks.values())


@pytest.mark.parametrize("levels", [1_000, 1_000_000])
def test_deep_and_half_characters_in_a_batch_leave_the_others_whole(collector: Collector, levels: int) -> None:
    """In a worker of gevent, whose stacks are its own."""
    deep = b'{"event_name":"deep","params":{"v":' + b"[" * levels + b"]" * levels + b"}}"
    others = [b'{"event_name":"half \\ud83d","\\ud83d":"\\udc00","event_id":"half-%d"}' % levels, b'{"event_name":"x"}']
    answer = collector.post(b'{"events":[' + b",".join([others[0], deep, others[1]]) + b"]}", "/api/collect/batch")
    assert (answer.status, answer.json()["stored"]) == (200, 2)
    (rejected,) = answer.json()["rejected"]
    assert (rejected["index"], rejected["code"]) == (1, "invalid_json" if levels == 1_000 else "too_large")
    name, extra = collector.row(f"half-{levels}", "event_name, extra")
    assert (name, _object(extra)) == ("half \ufffd", {"\ufffd": "\ufffd"})


def test_names_nearly_ours_are_told_in_a_header(collector: Collector) -> None:
    answer = collector.post({"event_name": "x", "eventId": "hint-1", "clientId\r\nX-Evil": 1})
    assert (answer.status, answer.headers["X-Event-Hint"]) == (204, "eventId looks like event_id")
    assert "X-Evil" not in answer.headers


def _id(collector: Collector, event_id: str) -> str:
    ((found,),) = collector.rows(f"SELECT id FROM collect_event WHERE event_id = '{event_id}'")
    text = str(found).replace("-", "")
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _object(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
