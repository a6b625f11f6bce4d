"""Requests that share a call: each gets its own, a failure is everybody's, and nothing grows without bound."""

import threading
from collections.abc import Sequence
from queue import Queue

import pytest

from runtime.group_commit import Group
from runtime.refusals import Unavailable

SECONDS = 10


class Gate:
    """A handler that waits to be let through, and notes what it was given."""

    def __init__(self) -> None:
        self.calls: Queue[list[int]] = Queue()
        self.let: Queue[BaseException | None] = Queue()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.calls.put(list(items))
        outcome = self.let.get(timeout=SECONDS)
        if isinstance(outcome, BaseException):
            raise outcome
        return [item * 10 for item in items]


@pytest.fixture
def gate() -> Gate:
    return Gate()


def submit(group: Group[int, int], *items: int) -> Queue[list[int] | Unavailable]:
    """Submit in a thread; the queue receives the results or the error."""
    answer: Queue[list[int] | Unavailable] = Queue()

    def run() -> None:
        try:
            answer.put(group.submit(list(items)))
        except Unavailable as error:
            answer.put(error)

    threading.Thread(target=run, daemon=True).start()
    return answer


def wait_until_queued(group: Group[int, int], items: int) -> None:
    """Wait until so many items wait for a call that has not begun."""
    done = threading.Event()
    for _ in range(SECONDS * 100):
        if sum(len(call.items) for call in group._calls) == items:
            return
        done.wait(0.01)
    raise AssertionError(f"{[call.items for call in group._calls]} wait, not {items}")


def test_submit_calls_in_the_callers_thread_until_started() -> None:
    group: Group[int, int] = Group(lambda items: [threading.get_ident() for _ in items], limit=10, size=10)
    assert group.submit([1, 2]) == [threading.get_ident()] * 2


def test_lone_request_is_called_at_once_and_a_crowd_shares_the_next_call(gate: Gate) -> None:
    group = Group(gate, limit=100, size=100)
    group.start()
    first = submit(group, 1)
    assert gate.calls.get(timeout=SECONDS) == [1]
    crowd = []
    for items, waiting in [((2, 3), 2), ((4,), 3), ((5, 6, 7), 6)]:
        crowd.append(submit(group, *items))
        wait_until_queued(group, waiting)
    gate.let.put(None)
    assert first.get(timeout=SECONDS) == [10]
    assert gate.calls.get(timeout=SECONDS) == [2, 3, 4, 5, 6, 7]
    assert all(answer.empty() for answer in crowd)
    gate.let.put(None)
    assert [answer.get(timeout=SECONDS) for answer in crowd] == [[20, 30], [40], [50, 60, 70]]


def test_failure_of_a_call_is_told_to_all_who_shared_it_and_the_next_goes_on(gate: Gate) -> None:
    group = Group(gate, limit=100, size=100)
    group.start()
    first = submit(group, 1)
    gate.calls.get(timeout=SECONDS)
    others = [submit(group, 2), submit(group, 3)]
    wait_until_queued(group, 2)
    gate.let.put(None)
    gate.let.put(RuntimeError("the disk is gone"))
    assert first.get(timeout=SECONDS) == [10]
    assert [type(answer.get(timeout=SECONDS)) for answer in others] == [Unavailable, Unavailable]
    gate.let.put(None)
    assert submit(group, 4).get(timeout=SECONDS) == [40]


def test_call_is_given_whole_requests_up_to_its_size(gate: Gate) -> None:
    group = Group(gate, limit=100, size=3)
    group.start()
    submit(group, 0)
    gate.calls.get(timeout=SECONDS)
    answers = []
    for items, waiting in [((1, 2), 2), ((3, 4), 4), ((5,), 5), ((6, 7, 8, 9), 9), ((10,), 10)]:
        answers.append(submit(group, *items))
        wait_until_queued(group, waiting)
    for _ in range(5):
        gate.let.put(None)
    assert [gate.calls.get(timeout=SECONDS) for _ in range(4)] == [[1, 2], [3, 4, 5], [6, 7, 8, 9], [10]]
    assert [answer.get(timeout=SECONDS) for answer in answers] == [[10, 20], [30, 40], [50], [60, 70, 80, 90], [100]]


def test_full_queue_refuses_at_once_and_takes_again_when_it_has_room(gate: Gate) -> None:
    group = Group(gate, limit=3, size=100)
    group.start()
    first = submit(group, 1)
    gate.calls.get(timeout=SECONDS)
    second = submit(group, 2, 3)
    wait_until_queued(group, 2)
    with pytest.raises(Unavailable) as refused:
        group.submit([4])
    assert refused.value.headers["Retry-After"]
    gate.let.put(None)
    gate.let.put(None)
    assert [first.get(timeout=SECONDS), second.get(timeout=SECONDS)] == [[10], [20, 30]]
    gate.let.put(None)
    assert group.submit([4]) == [40]


def test_start_twice_is_one_thread(gate: Gate) -> None:
    group = Group(gate, limit=3, size=3)
    group.start()
    thread = group._thread
    group.start()
    assert group._thread is thread
