"""A page for a person in the console, the JSON shape for everybody else."""

import json
import re
from datetime import UTC, datetime
from typing import NoReturn

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError, connection
from django.test import Client, RequestFactory

from collect.storage import spool
from collect.storage.spool import SpoolStatus
from console import error_pages


def test_our_failure_is_a_503_that_may_be_tried_again(rf: RequestFactory) -> None:
    answer = error_pages.server_error(rf.get("/api/collect"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


@pytest.mark.django_db(databases=["default", "spool"])
def test_page_of_an_outage_says_how_many_events_wait(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> NoReturn:
        raise OperationalError("connection refused")

    monkeypatch.setattr(spool, "is_enabled", lambda: True)
    assert b"does not answer" not in error_pages.server_error(rf.get("/admin/")).content
    monkeypatch.setattr(connection, "cursor", away)
    waiting = SpoolStatus(1_234, datetime(2026, 11, 26, 14, 2, 10, tzinfo=UTC), 0, 0)
    monkeypatch.setattr(spool, "status", lambda: waiting)
    page = error_pages.server_error(rf.get("/admin/")).content.decode()
    assert "<strong>1234</strong> wait in the spool of this machine, the first since 2026-11-26 14:02:10 UTC" in page
    monkeypatch.setattr(spool, "status", away)
    assert "senders get a 503" in error_pages.server_error(rf.get("/admin/")).content.decode()


@pytest.mark.django_db
def test_person_in_the_console_gets_a_page(client: Client, admin_client: Client) -> None:
    answer = admin_client.get("/admin/nothing/")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")
    assert b"Not found" in answer.content
    assert client.get("/nothing").json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/admin/", "/admin", "/admin/collect/event/", "/admin/nothing/"])
def test_person_under_a_host_that_is_not_ours_is_told_the_setting(client: Client, path: str) -> None:
    answer = client.get(path, headers={"host": "<b>.example"})
    assert answer.status_code == 400
    answer = client.get(path, headers={"host": "elsewhere.example"})
    assert answer.status_code == 400
    assert b"You may need to add &#x27;elsewhere.example&#x27; to ALLOWED_HOSTS" in answer.content or path == "/admin"


def test_everybody_else_is_told_it_in_the_shape_and_what_is_not_there_is_a_404(client: Client) -> None:
    answer = client.get("/api/schema", headers={"host": "elsewhere.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert "ALLOWED_HOSTS" in answer.json()["detail"]
    for path in ("/api/collect/", "/api/events", "/nothing"):
        assert client.post(path, headers={"host": "elsewhere.example"}).json()["code"] == "not_found"


class Away:
    """A user that has to be looked up in a database that is away."""

    def __getattr__(self, name: str) -> None:
        raise OperationalError("connection refused")


def test_page_of_an_outage_needs_no_database(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "is_enabled", lambda: False)  # which has a test of its own
    request = rf.get("/admin/collect/event/")
    request.user = Away()  # type: ignore[assignment]
    answer = error_pages.server_error(request)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer["Content-Type"].startswith("text/html")
    assert b"Temporarily unavailable" in answer.content


def test_forbidden_and_bad_requests_have_the_shape(rf: RequestFactory) -> None:
    assert error_pages.permission_denied(rf.get("/x"), PermissionDenied()).status_code == 403
    assert error_pages.bad_request(rf.get("/x"), SuspiciousOperation("x")).status_code == 400


LOGIN = "/admin/login/"


@pytest.fixture
def visitor() -> Client:
    """A browser of which forms are checked."""
    return Client(enforce_csrf_checks=True, headers={"Host": "localhost:8443"})


def refused(visitor: Client, form: dict[str, str], **headers: str) -> str:
    answer = visitor.post(LOGIN, {"username": "operator", "password": "x", **form}, headers=headers)
    assert answer.status_code == 403
    page = re.sub(r"\s+", " ", answer.content.decode())
    assert "The form was not accepted" in page
    return page


@pytest.mark.django_db
def test_form_that_seems_to_come_from_elsewhere_names_both_places_and_the_settings(visitor: Client) -> None:
    visitor.get(LOGIN)
    form = {"csrfmiddlewaretoken": visitor.cookies["csrftoken"].value}
    page = refused(visitor, form, Origin="https://events.example.com")
    assert 'The form came from <code class="break-all">https://events.example.com</code>' in page
    assert '<code class="break-all">http://localhost:8443</code>' in page
    assert "CSRF_TRUSTED_ORIGINS" in page
    assert "$http_host" in page
    # What comes from outside is text.
    assert "&lt;script&gt;" in refused(visitor, form, Origin="<script>")


@pytest.mark.django_db
def test_form_over_tls_without_a_referrer_is_the_same_cause(visitor: Client) -> None:
    answer = visitor.post(LOGIN, {}, secure=True)
    assert answer.status_code == 403
    assert "Your browser does not tell where the form came from" in answer.content.decode()
    assert "https://localhost:8443" in answer.content.decode()


@pytest.mark.django_db
def test_form_without_the_cookie_speaks_of_cookies(visitor: Client) -> None:
    page = refused(visitor, {"csrfmiddlewaretoken": "x"}, Origin="http://localhost:8443")
    assert "Allow cookies" in page
    assert "CSRF_TRUSTED_ORIGINS" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("form", [{}, {"csrfmiddlewaretoken": "x"}, {"csrfmiddlewaretoken": "x" * 64}])
def test_old_form_is_to_be_loaded_again(visitor: Client, form: dict[str, str]) -> None:
    visitor.get(LOGIN)
    page = refused(visitor, form, Origin="http://localhost:8443")
    assert "load the page again" in page
    assert "Allow cookies" not in page


@pytest.mark.django_db
def test_refused_form_elsewhere_has_the_shape(rf: RequestFactory) -> None:
    answer = error_pages.csrf_failure(rf.post("/x"), "CSRF token missing.")
    assert (answer.status_code, json.loads(answer.content)["code"]) == (403, "forbidden")
