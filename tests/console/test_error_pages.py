"""A page for a person in the console, the JSON shape for everybody else."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.test import Client, RequestFactory

from console import error_pages


def test_our_failure_is_a_503_that_may_be_tried_again(rf: RequestFactory) -> None:
    answer = error_pages.server_error(rf.get("/api/collect"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


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


def test_page_of_an_outage_needs_no_database(rf: RequestFactory) -> None:
    request = rf.get("/admin/collect/event/")
    request.user = Away()  # type: ignore[assignment]
    answer = error_pages.server_error(request)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer["Content-Type"].startswith("text/html")
    assert b"Temporarily unavailable" in answer.content


def test_forbidden_and_bad_requests_have_the_shape(rf: RequestFactory) -> None:
    assert error_pages.permission_denied(rf.get("/x"), PermissionDenied()).status_code == 403
    assert error_pages.bad_request(rf.get("/x"), SuspiciousOperation("x")).status_code == 400
