"""What an operator may ask of gunicorn for every request: then gunicorn serves them all (docs/decisions/0018)."""

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from runtime.gunicorn.connection import reader_of
from tests.runtime.gunicorn.serving import Application


def asked(**settings: object) -> bool:
    """Whether a worker with these settings leaves plain requests to gunicorn."""
    cfg = Config()
    cfg.set("secure_scheme_headers", {})
    for name, value in settings.items():
        cfg.set(name, value)
    log = Logger(cfg)
    try:
        return reader_of(Application(), cfg, log) is None
    finally:
        for logger in (log.error_log, log.access_log):
            for handler in list(logger.handlers):
                logger.removeHandler(handler)
                handler.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accesslog", "-"),
        ("syslog", True),
        ("max_requests", 9),
        ("proxy_protocol", "auto"),
        ("certfile", "x"),
        ("keepalive", 0),
        ("secure_scheme_headers", {"X": "y"}),
        ("pre_request", lambda worker, req: None),
        ("post_request", lambda worker, req, environ, resp: None),
        ("limit_request_fields", 10),
        ("limit_request_field_size", 100),
        ("limit_request_line", 100),
    ],
)
def test_what_an_operator_asks_of_gunicorn_for_every_request_gunicorn_does(name: str, value: object) -> None:
    assert asked(**{name: value})


def test_whoever_asks_nothing_has_plain_requests_served_at_once() -> None:
    assert not asked()
    assert not asked(keepalive=75, limit_request_line=0, limit_request_fields=100, timeout=99)


def test_application_without_plain_paths_is_gunicorns() -> None:
    cfg = Config()
    assert reader_of(lambda environ, start_response: [], cfg, Logger(cfg)) is None


def test_requests_under_a_script_name_are_gunicorns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPT_NAME", "/events")
    assert asked()
