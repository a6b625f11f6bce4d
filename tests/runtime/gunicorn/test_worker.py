"""The worker's connections, on both of its ways: idle ones, too many of them, and the end."""

import json
import logging
import signal

import gevent
import pytest
from gunicorn import util
from gunicorn.workers.ggevent import GeventWorker

from runtime.gunicorn.worker import FAREWELL_SECONDS
from tests.runtime.gunicorn.serving import GET, Clients, read


def test_idle_connections_are_closed_once_they_are_late(clients: Clients) -> None:
    client = clients.connect()
    clients.worker.notify()
    client.sendall(GET)
    assert read(client)[0] == 200
    for waiting in clients.worker._idle_since:
        clients.worker._idle_since[waiting] -= 76
    clients.worker.notify()
    assert client.recv(1) == b""


def test_request_that_has_arrived_is_served_though_its_connection_is_late(clients: Clients) -> None:
    client = clients.connect()
    client.sendall(GET)  # and the worker has had no time to look
    for waiting in clients.worker._idle_since:
        clients.worker._idle_since[waiting] -= 76
    clients.worker.notify()
    assert read(client)[0] == 200
    assert client.recv(1) == b""


def test_one_that_is_told_to_stop_waits_for_idle_connections_no_longer_than_a_moment(clients: Clients) -> None:
    client = clients.connect()
    gevent.sleep(0.01)
    for waiting in clients.worker._idle_since:
        clients.worker._idle_since[waiting] -= FAREWELL_SECONDS
    clients.worker.alive = False
    clients.worker.notify()
    assert client.recv(1) == b""


def test_too_many_connections_are_shed_and_one_that_idles_for_long_makes_room(clients: Clients) -> None:
    clients.worker.max_clients = 2
    first, second = clients.connect(), clients.connect()
    shed = clients.connect()
    status, headers, body = read(shed)
    assert (status, json.loads(body)["code"], headers["Retry-After"]) == (503, "unavailable", "2")
    waiting = next(iter(clients.worker._idle_since))
    clients.worker._idle_since[waiting] -= FAREWELL_SECONDS
    third = clients.connect()
    assert first.recv(1) == b""
    for client in (second, third):
        client.sendall(GET)
        assert read(client)[0] == 200


def test_second_signal_to_stop_is_ignored(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []
    monkeypatch.setattr(GeventWorker, "handle_quit", lambda self, sig, frame: stopped.append(sig))
    clients.worker.handle_quit(signal.SIGINT, None)
    clients.worker.handle_quit(signal.SIGQUIT, None)
    assert stopped == [signal.SIGINT]


def test_date_is_the_one_of_the_second() -> None:
    assert util.http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert util.http_date(0.9) == util.http_date(0)
    assert util.http_date(1) == "Thu, 01 Jan 1970 00:00:01 GMT"


def test_settings_are_plain_attributes(clients: Clients) -> None:
    assert vars(clients.worker.cfg)["keepalive"] == 75
    logging.getLogger("gunicorn.error").handlers.clear()
