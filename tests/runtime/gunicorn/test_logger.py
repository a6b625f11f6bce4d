"""Gunicorn's own lines: JSON, and no more of a key than its public part."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from runtime.gunicorn.logger import JsonLogger


class Logger(JsonLogger):
    secret = re.compile("(public)_[a-z]+")


@pytest.fixture
def logger() -> Iterator[Logger]:
    before = logging.getLogger("gunicorn.http.wsgi").level
    made = Logger(Config())
    yield made
    made.error_log.handlers.clear()
    logging.getLogger("gunicorn.http.wsgi").setLevel(before)


def test_line_is_json_without_secrets(logger: Logger) -> None:
    record = logging.LogRecord("gunicorn.error", logging.INFO, "", 1, "Bad request line: /public_hidden", None, None)
    own = [handler for handler in logger.error_log.handlers if type(handler) is logging.StreamHandler]
    lines = [handler.format(record) for handler in own]
    assert lines
    assert {json.loads(line)["message"] for line in lines} == {"Bad request line: /public_[removed]"}


def test_warnings_of_head_requests_are_left_out(logger: Logger) -> None:
    assert not logging.getLogger("gunicorn.http.wsgi").isEnabledFor(logging.WARNING)
