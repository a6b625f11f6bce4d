"""A page for a person in the console, the JSON shape for everybody else."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
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


def test_forbidden_and_bad_requests_have_the_shape(rf: RequestFactory) -> None:
    assert error_pages.permission_denied(rf.get("/x"), PermissionDenied()).status_code == 403
    assert error_pages.bad_request(rf.get("/x"), SuspiciousOperation("x")).status_code == 400
