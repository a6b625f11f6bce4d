"""Senders that do everything that a sender can do, and count what they were told: the ledger has to have the same."""

import http.client
import json
import threading
from collections import Counter
from typing import Self

from tests.faults.load import NO_ANSWER
from tests.harness import factories

COLLECT, BATCH = "/api/collect", "/api/collect/batch"
JSON = {"Content-Type": "application/json"}


class Teller:
    """Threads that send until `requests` are answered. `told` are events by outcome, `turned_away` requests by why.

    `limited` is a key that may send little. A request that gets no answer is counted in `cut`, and not sent again.
    """

    def __init__(self, port: int, key: str, limited: str, requests: int, threads: int = 8) -> None:
        self.told: Counter[str] = Counter()
        self.turned_away: Counter[str] = Counter()
        self.answered = self.cut = 0
        self._port, self._key, self._limited = port, key, limited
        self._wrong = factories.with_other_secret(key)
        self._goal = requests
        self._changing = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._goal = 0
        self.wait()

    def wait(self) -> None:
        """Wait until all is sent."""
        for thread in self._threads:
            thread.join(600)

    def _run(self, thread: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        number = 0
        while self.answered < self._goal:
            number += 1
            for method, path, key, body in self._requests(f"{id(self)}-{thread}-{number}", number):
                try:
                    connection.request(method, path, body, JSON | {"Authorization": f"Bearer {key}"})
                    response = connection.getresponse()
                    answer = response.read()
                except NO_ANSWER:
                    connection.close()
                    with self._changing:
                        self.cut += 1
                    continue
                with self._changing:
                    self.answered += 1
                    self._note(path, body, response, answer)
        connection.close()

    def _requests(self, name: str, number: int) -> list[tuple[str, str, str, str]]:
        """The requests of a turn: an event, its repetition and its conflict, and now and then what is refused."""
        event = {"event_name": "order_created", "event_id": name, "tag_id": "t"}
        first = json.dumps(event)
        turn = [("POST", COLLECT, self._key, first)] * (1 + (number % 3 == 0))
        if number % 5 == 0:
            turn.append(("POST", COLLECT, self._key, json.dumps(event | {"event_name": "other"})))
        if number % 7 == 0:
            turn += [("POST", COLLECT, self._key, "{}"), ("POST", COLLECT, self._limited, first)]
        if number % 11 == 0:
            many = [event | {"event_id": f"{name}-{n % 6}"} for n in range(8)] + [{}, {"event_name": 7}]
            turn += [("POST", BATCH, self._key, json.dumps(many)), ("POST", BATCH, self._key, "[{")]
        if number % 13 == 0:
            turn += [
                ("POST", f"{COLLECT}/", self._key, first),
                ("PUT", COLLECT, self._key, first),
                ("POST", COLLECT, self._wrong, first),
            ]
        return turn

    def _note(self, path: str, body: str, response: http.client.HTTPResponse, answer: bytes) -> None:
        status = response.status
        if status == 204:
            self.told[str(response.headers["X-Event-Outcome"])] += 1
        elif status == 200:
            found = json.loads(answer)
            refused = Counter(one["code"] for one in found["rejected"])
            self.told["unavailable"] += refused.pop("unavailable", 0)
            self.told["rejected"] += refused.total()
            for outcome, name in (("stored", "stored"), ("duplicate", "duplicates"), ("conflict", "conflicts")):
                self.told[outcome] += found[name]
            self.told["spooled"] += found["spooled"]
        elif status in (401, 404, 405):
            why = {401: "wrong_secret", 404: "not_found", 405: "method_not_allowed"}
            self.turned_away[why[status]] += 1
        else:
            events = len(json.loads(body)) if path == BATCH and status in (429, 503) else 1
            self.told[{400: "rejected", 429: "rate_limited", 503: "unavailable"}[status]] += events
