"""A sender that writes each id down when its 204 arrives, so that sets are compared in the end and not counts."""

import http.client
import json
import os
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Self

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
NO_ANSWER = (OSError, http.client.HTTPException)


class Load:
    """Threads that POST events, each with its own `event_id`, on kept connections.

    An event that gets no answer, or a 503, is sent again with the same id until it is answered with something else,
    or the load ends. `rate` is of all threads, in events a second; None is as fast as they can. What is not answered
    within `patience` seconds counts as cut.
    """

    def __init__(
        self, port: int, key: str, journal: Path, *, threads: int = 8, rate: float | None = None, patience: float = 30
    ) -> None:
        self.answers: Counter[str] = Counter()
        self._port, self._key, self._journal, self._patience = port, key, journal, patience
        self._pause = threads / rate if rate else 0.0
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self) -> Self:
        self._file = self._journal.open("a", buffering=1)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the load; what is on its way is answered first."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    @property
    def acknowledged(self) -> set[str]:
        """The ids whose 204 arrived, as they were written down."""
        return set(self._journal.read_text().split())

    def count(self) -> int:
        """How many 204s have arrived."""
        return sum(number for answer, number in self.answers.items() if answer.startswith("204"))

    def wait_for(self, events: int, seconds: float = 60) -> None:
        """Wait until so many more are acknowledged."""
        goal, deadline = self.count() + events, time.monotonic() + seconds
        while self.count() < goal:
            assert time.monotonic() < deadline, f"{goal - self.count()} of {events} not acknowledged: {self.answers}"
            time.sleep(0.01)

    def _run(self, thread: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._patience)
        number, due = 0, time.monotonic()
        while not self._stopping.is_set():
            number += 1
            event_id = f"{os.getpid()}-{id(self)}-{thread}-{number}"
            while not self._deliver(connection, event_id) and not self._stopping.is_set():
                time.sleep(0.02)
            due += self._pause
            time.sleep(max(0.0, due - time.monotonic()))
        connection.close()

    def _deliver(self, connection: http.client.HTTPConnection, event_id: str) -> bool:
        body = json.dumps({"event_name": "order_created", "event_id": event_id, "tag_id": "t", "user_agent": AGENT})
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/api/collect", body, headers)
            response = connection.getresponse()
            response.read()
            outcome, status = response.headers.get("X-Event-Outcome", ""), response.status
        except NO_ANSWER as error:
            connection.close()
            self._note(f"cut: {type(error).__name__}", None)
            return False
        self._note(f"{status} {outcome}".strip(), event_id if status == 204 else None)
        return status != 503

    def _note(self, answer: str, event_id: str | None) -> None:
        with self._changing:
            self.answers[answer] += 1
            if event_id is not None:
                self._file.write(event_id + "\n")
