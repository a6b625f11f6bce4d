"""Hostile input by a sender with a valid key, from the socket to the row (docs/security.md has the whole table)."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from tests.harness import databases
from tests.harness.browser import Browser
from tests.harness.collector import Answer, Collector
from tests.harness.factories import SEED_EVENT
from tests.harness.server import Server

MIB = 1024 * 1024


HOSTILE = '=1+1 @SUM(A1) <script>alert("x")</script> \'"><img src=x onerror=alert(1)> {{7*7}} \u202e\u2066evil'


def exact(collector: Collector, event_id: str, column: str = "params") -> Any:
    """A JSON column with its numbers to the last digit."""
    return json.loads(collector.row(event_id, f"CAST({column} AS text)")[0], parse_float=Decimal)


def assert_refused(answer: Answer, code: str) -> None:
    assert (answer.status, answer.json()["code"]) == (400, code)


def test_ten_times_the_cap_in_chunks_is_a_413(collector: Collector) -> None:
    before = collector.count()
    body = json.dumps({"event_name": "x", "params": {"pad": "p" * (10 * MIB)}}).encode()
    answer = collector.raw(collector.head(Transfer_Encoding="chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 413")
    assert collector.count() == before


@pytest.mark.parametrize("depth", [65, 2_000, 100_000])
def test_nesting_is_refused_below_any_field_and_in_a_batch(collector: Collector, depth: int) -> None:
    before = collector.count()
    for field in ("params", "consent", "anything", "channel", "event_name"):
        deep = b'{"a":' * (depth - 1) + b"1" + b"}" * (depth - 1)
        assert_refused(collector.post(b'{"event_name":"x","%s":%s}' % (field.encode(), deep)), "invalid_json")
    events = [
        b'{"event_name":"deep","params":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}",
        b'{"event_name":"flat"}',
    ]
    answer = collector.post(b"[" + b",".join(events) + b"]", "/api/collect/batch")
    assert answer.status == 200
    assert [rejected["index"] for rejected in answer.json()["rejected"]] == [0]
    assert collector.count() == before + 1


def test_numbers_are_refused_or_come_back_equal(collector: Collector) -> None:
    before = collector.count()
    for number in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400 + ".5"):
        body = b'{"event_name":"x","params":{"deep":[{"n":%s}]}}' % number.encode()
        assert_refused(collector.post(body), "invalid_json")
    assert collector.count() == before
    kept = ["9" * 5_000, f"-{'7' * 5_000}", *(str(2**bits + one) for bits in (63, 64) for one in (-1, 0, 1))]
    kept += ["58.00", "1e308", "-1E-300", "0.1" + "0" * 100 + "1", "-0"]
    body = b'{"event_name":"x","event_id":"numbers","params":{"n":[%s]}}' % ",".join(kept).encode()
    assert collector.post(body).status == 204
    assert exact(collector, "numbers")["n"] == [Decimal(number) for number in kept]


def test_nul_and_lone_surrogates_are_replaced_and_their_spelling_is_not(collector: Collector) -> None:
    escaped = rb'"a\u0000b\ud800c\uDFFF \ud83d\ude00 \\u0000 \\\u0000"'
    kept = "a\ufffdb\ufffdc\ufffd \U0001f600 \\u0000 \\\ufffd"
    body = b'{"event_name":%s,"event_id":"text","click_id":%s,"page_url":%s,"params":{"l":[{%s:%s}]},%s:1}' % (
        *(escaped,) * 5,
        rb'"extra\u0000"',
    )
    assert collector.post(body).status == 204
    assert collector.row("text", "event_name, click_id, page_url") == (kept,) * 3
    assert exact(collector, "text") == {"l": [{kept: kept}]}
    assert exact(collector, "text", "extra") == {"extra\ufffd": 1}


def test_keys_of_any_number_and_shape_come_back(collector: Collector) -> None:
    many = {f"{n:x}": 1 for n in range(100_000)}
    odd = {"": 1, "k" * 65_536: 2, "__proto__": {"a": 1}, "constructor": 3, "\u202e": 4, "a.b[0]$": 5, '"': 6}
    for event_id, params in (("many keys", many), ("odd keys", odd)):
        body = json.dumps({"event_name": "x", "event_id": event_id, "params": params}, separators=(",", ":")).encode()
        assert collector.post(body).status == 204
        assert exact(collector, event_id) == params
    twice = (
        b'{"event_name":"no","event_id":"twice keys","event_name":"x","params":{"a":1,"a":{"b":1,"b":2}},"z":1,"z":2}'
    )
    assert collector.post(twice).status == 204
    assert collector.row("twice keys", "event_name") == ("x",)
    assert exact(collector, "twice keys") == {"a": {"b": 2}}
    assert exact(collector, "twice keys", "extra") == {"z": 2}


PAGES = {
    "https://user:secret@Shop.Example:8443/?a#b": "site:shop.example",
    "https://[2001:DB8::0:1]:80/": "site:[2001:db8::1]",
    "https://bücher.example/%zz%": "site:xn--bcher-kva.example",
    "http://0x7f.1/": "site:127.0.0.1",
    "javascript:alert(1)": "site:unknown",
    "data:text/html,<script>": "site:unknown",
    "https://sh op.example": "site:unknown",
    "https://%00.example/": "site:unknown",
    "https://[::1": "site:unknown",
    "http://999.999.999.999/": "site:unknown",
    "//shop.example/": "site:unknown",
    "\ufffd\u202e": "site:unknown",
    "https://" + "a." * 200 + "example": "site:unknown",
    "https://shop.example/" + "%" * 900_000: "site:unknown",
}


def test_page_urls_of_any_shape_are_stored_with_their_host_or_none(collector: Collector) -> None:
    for number, (url, tag) in enumerate(PAGES.items()):
        assert collector.post({"event_name": "x", "event_id": f"page-{number}", "page_url": url}).status == 204
        assert collector.row(f"page-{number}", "tag_id, page_url") == (tag, url)


def seconds_of(collector: Collector, event_id: str, user_agent: str) -> float:
    """The time until an event with this user agent is answered, which is then stored with the text as sent.

    The shortest of three, as a busy machine may hold one up.
    """
    tries = []
    for number in range(3):
        start = time.monotonic()
        answer = collector.post({"event_name": "x", "event_id": f"{event_id}-{number}", "user_agent": user_agent})
        tries.append(time.monotonic() - start)
        assert answer.status == 204
        assert collector.row(f"{event_id}-{number}", "user_agent") == (user_agent,)
    return min(tries)


@pytest.mark.alone
def test_user_agents_built_against_expressions_cost_no_more_than_harmless_ones(collector: Collector) -> None:
    """Measured against harmless ones of the largest size, at the same time: in less than ten times what those take."""
    pieces = [
        "Mozilla/5.0 (",
        "; Build/",
        "(((((",
        " " * 50,
        "a" * 50 + "/",
        "Android 4.4; ",
        "1.",
        "iPhone OS 1_",
        "bot",
        "-",
    ]
    sizes = (2_000, 900_000)
    harmless, hostile = [], {}
    for number, piece in enumerate(pieces):
        words = f"Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Gecko/20100101 Firefox/{number}.0 "
        harmless.append(seconds_of(collector, f"harmless-{number}", words * (sizes[-1] // len(words))))
        for size in sizes:
            text = (piece * (size // len(piece) + 1))[:size] + "!"
            hostile[piece, size] = seconds_of(collector, f"agent-{number}-{size}", text)
    assert max(hostile.values()) < 10 * max(harmless), (hostile, harmless)


def test_hostile_text_is_stored_as_sent_and_escaped_on_every_page(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partner, label, user, event and rejection, all of them hostile, on all pages that the console has."""
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-long-password")
    collector = Collector(server, databases.current_url(), "")
    collector.manage("createsuperuser", "--noinput", "--username", "operator", "--email", "operator@example.com")
    raw_key = collector.manage("issue_key", "--partner", HOSTILE, "--label", HOSTILE).strip()
    collector = Collector(server, collector.database_url, raw_key)
    texts = dict.fromkeys(("event_name", "tag_id", "page_url", "user_agent", "click_id", "attribution_type"), HOSTILE)
    texts["attribution_type"] = HOSTILE[:64]
    sent = {
        **SEED_EVENT,
        **texts,
        "event_id": "hostile",
        "params": {HOSTILE: [HOSTILE]},
        "consent": {"a": HOSTILE},
        HOSTILE: HOSTILE,
    }
    assert collector.post(sent).status == 204
    assert collector.post({**sent, HOSTILE: "other"}).headers["X-Event-Outcome"] == "conflict"
    assert collector.post({HOSTILE: HOSTILE}).status == 400
    assert collector.row("hostile", ", ".join(texts)) == tuple(texts.values())
    assert exact(collector, "hostile") == {HOSTILE: [HOSTILE]}

    browser = Browser(server.url)
    browser.log_in("operator", "a-long-password")
    # What is JSON says so, and no browser takes it for a page.
    shown = {path: page for path, page in browser.pages("/admin/") if "alert(" in page and "<html" in page}
    for path, page in shown.items():
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert ">49<" not in page, path
    for part in ("collect/event/", "collect/rejection/", "keys/apikey/", "keys/partner/"):
        assert {path for path in shown if part in path} > {f"/admin/{part}"}, part
