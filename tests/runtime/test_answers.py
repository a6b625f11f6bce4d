"""The one JSON shape, also for what no view of ours raised."""

import json
from typing import cast

import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.test import Client, RequestFactory

from runtime import answers
from runtime.refusals import Code, Refusal
from runtime.requests import ServedRequest


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (Http404("secret path"), Code.NOT_FOUND),
        (SuspiciousOperation("details"), Code.BAD_REQUEST),
        (OperationalError("host=db.internal refused"), Code.UNAVAILABLE),
        (RuntimeError("a surprise"), Code.UNAVAILABLE),
        (Refusal(Code.FORBIDDEN, "no"), Code.FORBIDDEN),
    ],
)
def test_whatever_was_raised_is_a_refusal_that_tells_nothing_of_ours(raised: Exception, code: Code) -> None:
    refusal = answers.as_refusal(raised)
    assert refusal.code is code
    for secret in ("secret", "details", "internal", "surprise"):
        assert secret not in refusal.detail


def test_answer_has_the_shape_and_the_headers(rf: RequestFactory) -> None:
    request = cast(ServedRequest, rf.get("/"))
    request.request_id = "r1"
    answer = answers.respond(request, Refusal(Code.INVALID_EVENT, "a: b", errors={"a": ["b"]}, headers={"X": "y"}))
    assert (answer.status_code, answer["X"]) == (400, "y")
    assert json.loads(answer.content) == {
        "detail": "a: b",
        "code": "invalid_event",
        "errors": {"a": ["b"]},
        "request_id": "r1",
    }


@pytest.mark.django_db
def test_surprise_in_a_view_is_a_503_and_logged_whole(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from collect.intake import contract  # noqa: PLC0415  # patched here only
    from tests.harness import factories  # noqa: PLC0415  # needs the database's models

    def surprise(*args: object) -> None:
        raise RuntimeError("a surprise")

    monkeypatch.setattr(contract, "decode", surprise)
    _, raw_key = factories.key()
    headers = {"Authorization": f"Bearer {raw_key}"}
    answer = client.post("/api/collect", {"event_name": "x"}, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "a surprise" in caplog.text
    assert raw_key not in caplog.text
