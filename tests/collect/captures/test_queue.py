"""The queue of captures between the thread that serves requests and the one that writes."""

from typing import cast

import pytest
from django.utils import timezone

from collect.captures import keeping as captures
from collect.models import Capture
from keys.models import ApiKey
from tests.collect.captures.sent import EVENT, arm
from tests.harness import factories

pytestmark = pytest.mark.django_db


class Interrupting:
    """A capture at whose first look the other thread writes all that waits."""

    def __init__(self, key: ApiKey, queue: captures.Queue) -> None:
        self.answer, self._key, self._queue, self._was_seen = b"", key, queue, False

    def _interrupt(self) -> None:
        if not self._was_seen:
            self._was_seen = True
            self._queue.write()

    @property
    def api_key_id(self) -> int:
        self._interrupt()
        return self._key.pk

    @property
    def body(self) -> bytes:
        self._interrupt()
        return EVENT


@pytest.mark.parametrize("looks_between", [True, False])
def test_queue_that_another_thread_empties_at_any_moment_has_room_again(
    monkeypatch: pytest.MonkeyPatch, looks_between: bool
) -> None:
    monkeypatch.setattr(captures, "_write", lambda until, capture: True)
    monkeypatch.setattr(captures, "MAX_WAITING_BYTES", 1)
    key, _ = factories.issue()
    arm(key)
    key.refresh_from_db()
    queue = captures.Queue()
    for one in (Capture(api_key=key, body=EVENT), Interrupting(key, queue), Capture(api_key=key, body=EVENT)):
        queue.put(timezone.now(), cast(Capture, one))
    if looks_between:
        assert not queue.has_room(key)
    queue.write()
    assert queue.is_empty
    assert queue.has_room(key)
