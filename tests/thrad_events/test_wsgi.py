"""The WSGI application: senders' paths on the short road, everything else through Django."""

import io
import json
from typing import Any

import pytest

from collect.models import Event
from tests.harness import factories
from thrad_events.wsgi import application

pytestmark = pytest.mark.django_db


def call(path: str, body: bytes = b"", **environ: str | None) -> tuple[int, dict[str, str], bytes]:
    """One request as gunicorn hands it over, without what is None; its status, headers and body."""
    started: list[Any] = []
    given = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        **environ,
    }
    present = {name: value for name, value in given.items() if value is not None}
    content = b"".join(application(present, lambda status, headers: started.append((status, headers))))
    status, headers = started[0]
    return int(status.split()[0]), dict(headers), content


@pytest.mark.parametrize("path", ["/api/collect", "/v1/api/collect"])
def test_event_is_stored_on_the_short_road(path: str) -> None:
    _, raw_key = factories.key()
    status, headers, content = call(path, b'{"event_name":"x"}', HTTP_AUTHORIZATION=f"Bearer {raw_key}")
    assert (status, content, headers["X-Event-Outcome"]) == (204, b"", "stored")
    assert "Content-Length" not in headers
    assert "Content-Type" not in headers
    assert Event.objects.get().ip_address == "127.0.0.1"


@pytest.mark.parametrize("path", ["/api/collect", "/api/collect/batch", "/api/collect/validate"])
def test_refusal_has_its_length_and_the_request_s_id(path: str) -> None:
    status, headers, content = call(path, b"{}", HTTP_X_REQUEST_ID="mine")
    assert (status, headers["X-Request-Id"], headers["Content-Length"]) == (401, "mine", str(len(content)))
    assert json.loads(content)["code"] == "missing_token"


def test_other_paths_are_django_s() -> None:
    status, _, content = call("/livez")
    assert (status, json.loads(content)) == (200, {"status": "ok"})
    status, headers, _ = call("/nowhere")
    assert (status, headers["X-Frame-Options"]) == (404, "DENY")


@pytest.mark.parametrize("parameter", ["x*=foo''%41", "x*=idna'x'%ff", "charset=nowhere", "charset"])
def test_parameters_of_a_media_type_change_nothing(parameter: str) -> None:
    _, raw_key = factories.key()
    sent = {"CONTENT_TYPE": f"Application/JSON ; {parameter}", "HTTP_AUTHORIZATION": f"Bearer {raw_key}"}
    assert call("/api/collect", b'{"event_name":"x"}', **sent)[0] == 204
