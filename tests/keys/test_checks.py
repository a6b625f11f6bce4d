"""System checks of the app: each says what is wrong and what to do."""

import pytest
from pytest_django import Settings

from keys import checks


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:6379/0", "rediss://user:secret@cache.internal/1"])
def test_usable_cache_is_no_error(settings: Settings, url: str) -> None:
    settings.CACHE_URL = url
    assert checks.cache_url() == []


@pytest.mark.parametrize("url", ["nonsense", "http://cache.internal", "redis://cache.internal:port/0"])
def test_cache_that_cannot_be_used_is_an_error(settings: Settings, url: str) -> None:
    settings.CACHE_URL = url
    (error,) = checks.cache_url()
    assert error.id == "keys.E001"
    assert "CACHE_URL" in error.msg
