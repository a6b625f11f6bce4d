"""The proxies in front, as docs/operations.md configures them: events and people come through, with their addresses."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.deployment.programs import SENDER, Certificate, Front, running
from tests.e2e.deployment.samples import placed, sample, settings
from tests.harness.browser import Browser
from tests.harness.collector import Answer, Collector, manage
from tests.harness.postgres import free_port
from tests.harness.server import Server, serve

pytestmark = [pytest.mark.alone, pytest.mark.once]

SETTINGS = settings(sample("sh", having="TRUSTED_PROXIES"))

NGINX = """
daemon off; pid nginx.pid; error_log stderr; {user}
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include sample.conf;
}}
"""


@contextmanager
def nginx(server: Server, directory: Path) -> Iterator[Front]:
    front, certificate = free_port(), Certificate.new(directory)
    places = {
        "127.0.0.1:8000": f"127.0.0.1:{server.port}",
        "listen 443 ssl": f"listen 127.0.0.1:{front} ssl",
        "/etc/ssl/events.example.com/fullchain.pem": str(certificate.certificate),
        "/etc/ssl/events.example.com/privkey.pem": str(certificate.key),
    }
    (directory / "sample.conf").write_text(placed(sample("nginx"), places))
    (directory / "nginx.conf").write_text(NGINX.format(user="user root;" if os.geteuid() == 0 else ""))
    with running(["nginx", "-p", str(directory), "-c", "nginx.conf", "-e", "stderr"], front, directory):
        yield Front(front, certificate.certificate)


@contextmanager
def haproxy(server: Server, directory: Path) -> Iterator[Front]:
    front, certificate = free_port(), Certificate.new(directory)
    places = {
        "10.0.0.11:8000": f"127.0.0.1:{server.port}",
        "10.0.0.12:8000": f"127.0.0.1:{free_port()}",
        "bind :443": f"bind 127.0.0.1:{front}",
        "/etc/haproxy/events.example.com.pem": str(certificate.together()),
    }
    (directory / "haproxy.cfg").write_text(placed(sample("haproxy"), places))
    with running(["haproxy", "-db", "-f", "haproxy.cfg"], front, directory):
        yield Front(front, certificate.certificate)


@dataclass(frozen=True)
class House:
    """A server behind a proxy."""

    collector: Collector
    front: Front

    def send(self, body: bytes, path: str = "/api/collect", method: str = "POST", **headers: str) -> Answer:
        """A request of the sender's, through the proxy."""
        named = {"Authorization": f"Bearer {self.collector.raw_key}", "Content-Type": "application/json"}
        connection = self.front.connect()
        connection.request(
            method, path, body, named | {name.replace("_", "-"): value for name, value in headers.items()}
        )
        response = connection.getresponse()
        # HAProxy writes the names of headers in lower case.
        found = {name.title(): value for name, value in response.headers.items()}
        answer = Answer(response.status, found, response.read())
        connection.close()
        return answer


@pytest.fixture(scope="module", params=[nginx, haproxy])
def house(
    request: pytest.FixtureRequest, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    proxy: Callable[[Server, Path], AbstractContextManager[Front]] = request.param
    # The tests' own harness asks by address whether the server is up.
    own = {**SETTINGS, "ALLOWED_HOSTS": f"{SETTINGS['ALLOWED_HOSTS']},127.0.0.1"}
    with (
        serve(collector.database_url, (), **own) as server,
        proxy(server, tmp_path_factory.mktemp(proxy.__name__)) as front,
    ):
        yield House(Collector(server, collector.database_url, collector.raw_key), front)


def test_event_comes_through_with_its_senders_address(house: House) -> None:
    event_id = f"through-{house.front.port}"
    body = json.dumps({"event_name": "order_created", "event_id": event_id}).encode()
    answers = [house.send(body, X_Forwarded_For="203.0.113.9") for _ in range(2)]
    assert [answer.status for answer in answers] == [204, 204]
    assert [answer.headers["X-Event-Outcome"] for answer in answers] == ["stored", "duplicate"]
    # The proxy's peer, never what the sender says of itself.
    (address,) = house.collector.row(event_id, "ip_address")
    assert str(address) == SENDER


def test_person_logs_in_under_the_proxys_name_and_port(house: House) -> None:
    name = f"operator-{house.front.port}"
    os.environ["DJANGO_SUPERUSER_PASSWORD"] = "right and long enough"
    try:
        manage(
            house.collector.database_url, "createsuperuser", "--noinput", "--username", name, "--email", "a@b.example"
        )
    finally:
        del os.environ["DJANGO_SUPERUSER_PASSWORD"]
    browser = Browser(house.front.origin, house.front.connect)
    browser.log_in(name, "right and long enough")
    status, page = browser.open("/admin/")
    assert (status, name in page) == (200, True)


def test_errors_are_the_servers_own(house: House) -> None:
    wrong = house.send(b"{}", Authorization="Bearer wrong")
    assert (wrong.status, wrong.json()["code"]) == (401, "invalid_key")
    large = house.send(b" " * (8 * 1024 * 1024 + 1), "/api/collect/batch")
    assert (large.status, large.json()["code"]) == (413, "too_large")


def test_metrics_are_not_for_strangers_and_probes_are(house: House) -> None:
    assert house.send(b"", "/metrics", "GET").status == 403
    assert house.send(b"", "/readyz", "GET").json()["status"] == "ready"
