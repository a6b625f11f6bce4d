"""One JSON object a line, with the request's id."""

import json
import logging
import re
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test import Client

from runtime import logs

SECRET = re.compile("(public)_[a-z]+")


def formatted(**extra: object) -> Any:
    record = logging.LogRecord("app", logging.INFO, "path", 1, "hello %s", ("you",), None)
    record.__dict__.update(extra)
    return json.loads(logs.JsonFormatter(SECRET).format(record))


def test_line_is_one_json_object() -> None:
    line = formatted(status=400)
    assert (line["level"], line["logger"], line["message"], line["status"]) == ("INFO", "app", "hello you", 400)
    assert line["time"].startswith("20")
    assert "request_id" not in line


def test_line_has_the_id_of_the_request_and_not_the_request() -> None:
    token = logs.request_id.set("r1")
    try:
        assert formatted(request="<WSGIRequest: GET '/?key=secret'>")["request_id"] == "r1"
        assert "secret" not in json.dumps(formatted(request="secret"))
    finally:
        logs.request_id.reset(token)


def test_line_has_no_more_of_a_secret_than_its_first_group() -> None:
    assert formatted(path="/x/public_hidden?")["path"] == "/x/public_[removed]?"


@pytest.mark.django_db
def test_refusal_is_logged_with_its_fields_and_without_body_or_key(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.harness import factories  # noqa: PLC0415  # needs the database's models

    _, raw_key = factories.key()
    with caplog.at_level("INFO"):
        client.post(
            "/api/collect",
            {"event_id": 7, "params": {"secret": "body"}},
            content_type="application/json",
            headers={"Authorization": f"Bearer {raw_key}", "X-Request-Id": "r9"},
        )
    (record,) = [record for record in caplog.records if record.name == "runtime.answers"]
    told = vars(record)
    assert (told["status"], told["code"], told["fields"]) == (400, "invalid_event", ["event_id", "event_name"])
    everything = str([record.__dict__ for record in caplog.records])
    assert "secret" not in everything
    assert raw_key not in everything


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_traceback_does_not_show_the_row_that_postgresql_refused() -> None:
    body = "of a person\n\nthat nobody may see"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE refusing (body text CHECK (length(body) < 3))")
        try:
            with pytest.raises(IntegrityError) as raised:
                cursor.execute("INSERT INTO refusing VALUES (%s)", [body])
        finally:
            cursor.execute("DROP TABLE refusing")
    assert "nobody may see" in str(raised.value)
    told = formatted(exc_info=(raised.type, raised.value, raised.tb))["exc_info"]
    assert told.count('violates check constraint "refusing_body_check"') == 2
    assert "of a person" not in told
    assert "nobody may see" not in told
