"""Which questions are counted anew, and which answers are shown: none that is old without saying so, none erased."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from collect.models import Event
from collect.storage import removal
from collect.storage.ledger.tally import Endpoint
from reporting.models import ReportRun
from reporting.reports.question import Question
from reporting.runs import asking
from reporting.runs.asking import TooMany
from tests.harness import factories
from tests.reporting.reports.stored import question, write

pytestmark = pytest.mark.django_db(transaction=True)

State = ReportRun.State
NOW = datetime(2026, 11, 26, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def end(run: ReportRun, at: datetime, state: str = State.DONE) -> None:
    ReportRun.objects.filter(pk=run.pk).update(
        state=state, finished_at=at, answer="{}" if state == State.DONE else None
    )


def look(of: Question | None = None, at: datetime = NOW, name: str = "late") -> asking.Standing:
    return asking.look(name, of or question(), at)


def test_question_waits_once_however_often_it_is_asked() -> None:
    first, second = look(), look(at=NOW + 5 * MINUTE)
    assert first == second
    assert first.is_open
    assert first.answered is None
    assert (first.newest.report, first.newest.asked_at) == ("late", NOW)


def test_other_questions_are_other_runs() -> None:
    ids = {look().newest.pk, look(name="quality").newest.pk, look(question("a")).newest.pk}
    assert len(ids) == 3


def test_fresh_answer_is_shown_and_an_older_one_beside_a_new_run() -> None:
    run = look().newest
    end(run, NOW)
    for minutes in (0, 10):
        found = look(at=NOW + minutes * MINUTE)
        assert (found.newest.pk, found.is_open) == (run.pk, False)
        assert found.answered == run
    later = look(at=NOW + 11 * MINUTE)
    assert later.is_open
    assert (later.newest.pk != run.pk, later.answered) == (True, run)


@pytest.mark.parametrize("state", [State.FAILED, State.REFUSED])
def test_failure_stays_until_it_is_old_or_somebody_asks_again(state: str) -> None:
    run = look().newest
    end(run, NOW, state)
    found = look(at=NOW + MINUTE)
    assert (found.newest.pk, found.newest.state, found.answered) == (run.pk, state, None)
    asking.again("late", question(), NOW + MINUTE)
    assert look(at=NOW + MINUTE).is_open


def test_asking_again_counts_anew_but_not_twice_at_a_time() -> None:
    end(look().newest, NOW)
    for _ in range(2):
        asking.again("late", question(), NOW)
    assert ReportRun.objects.count() == 2
    assert look().is_open


def test_answer_is_found_by_its_id_and_question_alone() -> None:
    run = look().newest
    assert asking.answered("late", question(), run.pk) is None
    end(run, NOW)
    assert asking.answered("late", question(), run.pk) == run
    assert asking.answered("late", question("other"), run.pk) is None
    assert asking.answered("quality", question(), run.pk) is None


def test_another_request_that_asks_in_the_same_moment_gets_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    run = look().newest
    monkeypatch.setattr(asking, "_newest", lambda _digest, _state=None: None)
    assert look().newest.pk == run.pk


def test_so_many_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_OPEN", 2)
    first = look(question("1")).newest
    look(question("2"))
    with pytest.raises(TooMany, match="2 questions wait"):
        look(question("3"))
    assert look(question("1")).newest == first
    end(first, NOW)
    assert look(question("3")).is_open


def test_runs_are_kept_for_a_day_and_so_many_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST", 3)
    waiting = look(question("waits"), NOW - 2 * asking.KEPT).newest
    for n in range(5):
        end(look(question(str(n))).newest, NOW)
    old = look(question("old"), NOW - asking.KEPT - MINUTE).newest
    end(old, NOW)
    newest = list(ReportRun.objects.exclude(pk__in=[waiting.pk, old.pk]).order_by("-pk").values_list("pk", flat=True))
    # The old one goes for its age, and of the others the three newest stay: of the six, three.
    assert asking.forget(NOW) == 4
    left = set(ReportRun.objects.values_list("pk", flat=True))
    assert left == {waiting.pk, *newest[:2]}
    assert asking.forget(NOW) == 0


def test_erasure_forgets_every_answer_and_pruning_none() -> None:
    key, _ = factories.issue()
    for _ in range(2):
        write(key)
    pruned, erased = Event.objects.values_list("pk", flat=True)
    end(look().newest, NOW)
    removal.remove([pruned], Endpoint.PRUNE)
    assert ReportRun.objects.exists()
    with transaction.atomic():
        removal.remove([erased], Endpoint.ERASE)
        assert not ReportRun.objects.exists()
        # Begun while the event could still be seen.
        look()
    assert not ReportRun.objects.exists()
