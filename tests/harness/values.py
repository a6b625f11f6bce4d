"""What a test knows to be there."""

from typing import TypeVar

Value = TypeVar("Value")


def some(value: Value | None) -> Value:
    """The value, where the type says that there may be none."""
    assert value is not None
    return value
