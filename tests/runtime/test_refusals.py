"""The closed set of codes, and the statuses that belong to them."""

from runtime.refusals import STATUS, Code, Unavailable


def test_every_code_has_a_status_below_500_or_is_a_503() -> None:
    assert set(STATUS) == set(Code)
    assert all(400 <= status < 500 or status == 503 for status in STATUS.values())


def test_our_failure_may_be_tried_again() -> None:
    assert Unavailable().headers == {"Retry-After": "2"}
