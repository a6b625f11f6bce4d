"""A failure is remembered for a while, or until somebody saw it work."""

import pytest

from runtime.circuit import Circuit


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_circuit_is_open_for_its_seconds_after_a_failure(clock: Clock) -> None:
    circuit = Circuit("it", 10.0, clock)
    assert not circuit.is_open
    circuit.open(OSError("away"))
    clock.now = 9.9
    assert circuit.is_open
    clock.now = 10.0
    assert not circuit.is_open


def test_circuit_closes_when_it_was_seen_to_work_and_says_each_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    circuit = Circuit("it", 10.0, clock)
    for _ in range(3):
        circuit.open(OSError("away"))
    circuit.close()
    circuit.close()
    assert not circuit.is_open
    assert [record.getMessage() for record in caplog.records] == ["it does not answer", "it is back"]
