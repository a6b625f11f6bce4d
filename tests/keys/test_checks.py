"""System checks of the app: each says what is wrong and what to do."""

import pytest
from pytest_django import Settings

from keys import checks


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://127.0.0.1:6379/0",
        "rediss://user:secret@cache.internal/1",
        "redis://cache.internal?db=2&socket_timeout=1",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_usable_cache_is_no_error(settings: Settings, url: str) -> None:
    settings.CACHE_URL = url
    assert checks.cache_url() == []


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "127.0.0.1:6379",
        "http://cache.internal",
        "redis:/cache.internal",
        "redis://cache.internal:port/0",
        "redis://cache.internal:99999/0",
        "redis://cache.internal/zero",
        "redis://cache.internal/0?nonsense=1",
        "redis://cache.internal/0?socket_timeout=soon",
        "redis://:secret/ret@cache.internal/0",
        "redis://:secret#ret@cache.internal/0",
        "redis://:1#secret@cache.internal/0",
    ],
)
def test_cache_that_cannot_be_used_is_an_error_that_shows_nothing_of_it(settings: Settings, url: str) -> None:
    settings.CACHE_URL = url
    (error,) = checks.cache_url()
    assert (error.id, error.msg) == ("keys.E001", "CACHE_URL cannot be used")
    assert "secret" not in (error.hint or "")
