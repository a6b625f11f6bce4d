"""Settings out of the environment: what a value means, and what is said of one that means nothing."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured

from runtime import environment

READERS: dict[str, Callable[[], object]] = {
    "number": lambda: environment.number("X", 1),
    "flag": lambda: environment.flag("X", default=True),
    "level": lambda: environment.level("X", "INFO"),
}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The setting X with the value of the test, which is unset where that is None."""
    value = request.getfixturevalue("value")
    monkeypatch.delenv("X", raising=False)
    if value is not None:
        monkeypatch.setenv("X", value)


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(("value", "read"), [(None, "usual"), ("", "usual"), ("  ", "usual"), (" $HOME ", "$HOME")])
def test_text(value: str | None, read: str) -> None:
    assert environment.text("X", "usual") == read


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(("value", "read"), [(None, 7), ("", 7), (" 5 ", 5), ("0", 0)])
def test_number(value: str | None, read: int) -> None:
    assert environment.number("X", 7) == read


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("value", "read"), [(None, False), ("", False), ("1", True), ("TRUE", True), ("Yes", True), ("off", False)]
)
def test_flag(value: str | None, read: bool) -> None:
    assert environment.flag("X", default=False) is read


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("value", "read"),
    [(None, ["usual"]), ("", []), ("a", ["a"]), (" a , b,", ["a", "b"]), ("\"a\", 'b'", ["a", "b"])],
)
def test_items(value: str | None, read: list[str]) -> None:
    assert environment.items("X", ["usual"]) == read


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("value", "read"), [(None, "INFO"), ("warning", "WARNING"), ("warn", "WARNING"), (" Debug ", "DEBUG")]
)
def test_level(value: str | None, read: str) -> None:
    assert environment.level("X", "INFO") == read


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        ("number", "5s", "a whole number without a unit"),
        ("number", "1G", "a whole number without a unit"),
        ("number", "-1", "a whole number"),
        ("number", "1.5", "a whole number"),
        ("flag", "maybe", "1 or 0"),
        ("level", "loud", "one of DEBUG"),
    ],
)
def test_value_that_means_nothing_is_named_with_what_was_meant(kind: str, value: str, meant: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"(?i)X is '{value}', which cannot be read: write {meant}"):
        READERS[kind]()
