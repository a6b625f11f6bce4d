"""The Host of a request, by a real server behind HTTPS: where it counts, and what is said to one that is not ours."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.collector import Collector
from tests.harness.server import serve

# What HTTP says, before any database is asked.
pytestmark = pytest.mark.once

FOREIGN = ["10.0.0.7:8000", "[fd00::7]", "events_1.internal", "elsewhere.example"]


@pytest.fixture(scope="module")
def behind_https(collector: Collector) -> Iterator[Collector]:
    """A server on the same database with the settings of one behind a proxy that ends TLS."""
    with serve(collector.database_url, HTTPS="1", ALLOWED_HOSTS="events.example.com") as server:
        yield Collector(server, collector.database_url, collector.raw_key)


def logged(collector: Collector, before: int) -> list[dict[str, Any]]:
    """What was logged of requests, and every error."""
    lines = [json.loads(line) for line in collector.server.log[before:].splitlines()]
    return [line for line in lines if "status" in line or line["level"] == "ERROR"]


def test_probes_answer_under_any_host_and_are_not_redirected(behind_https: Collector) -> None:
    before = len(behind_https.server.log)
    for path in ("/livez", "/readyz", "/metrics"):
        for host in FOREIGN:
            answer = behind_https.request("GET", path, Host=host)
            assert (answer.status, answer.headers.get("Location")) == (200, None)
            assert answer.headers["Content-Length"] == str(len(answer.body))
        assert behind_https.raw(f"GET {path} HTTP/1.0\r\n\r\n".encode()).startswith(b"HTTP/1.0 200 ")
    assert logged(behind_https, before) == []


@pytest.mark.parametrize("host", FOREIGN)
def test_page_under_a_host_that_is_not_ours_names_the_setting(behind_https: Collector, host: str) -> None:
    before = len(behind_https.server.log)
    answer = behind_https.request("GET", "/admin/login/", Host=host, X_Forwarded_Proto="https")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert (b"ALLOWED_HOSTS" in answer.body) is ("_" not in host)
    (line,) = logged(behind_https, before)
    assert (line["level"], line["status"], line["path"]) == ("INFO", 400, "/admin/login/")


@pytest.mark.parametrize("host", FOREIGN)
def test_senders_may_use_any_host_and_are_told_of_a_wrong_path_alone(behind_https: Collector, host: str) -> None:
    before = len(behind_https.server.log)
    assert behind_https.post({"event_name": "x"}, Host=host).status == 204
    assert behind_https.request("GET", "/v1/api/collect", Host=host).status == 405
    for path in ("/api/collect/", "/api/events", "/v1/api/collect/batch/", "/collect"):
        answer = behind_https.post({"event_name": "x"}, path, Host=host, X_Forwarded_Proto="https")
        assert (answer.status, answer.json()["code"]) == (404, "not_found")
    assert {line["level"] for line in logged(behind_https, before)} == {"INFO"}
