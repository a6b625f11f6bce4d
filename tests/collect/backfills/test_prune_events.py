"""`prune_events`: what is old goes, of the kind and the partner that were meant."""

import signal
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from collect.backfills.pruning import EVENTS, KEY_HISTORY, REJECTIONS, TEST_EVENTS, PruneOptions, prune_events
from collect.backfills.run import Run
from collect.models import Build, Event, Rejection, RejectionCount, RejectionGroup, RejectionTally
from keys.models import ApiKey, KeyChange, Partner
from tests.collect.backfills.old import OLD, YEAR_AGO, events, kept, left, refuse
from tests.collect.backfills.runs import Command, NewRun, send_beside
from tests.harness import factories
from tests.harness.server import Server

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "spool"]),
    pytest.mark.usefixtures("own_spool"),
]


# --- prune -----------------------------------------------------------------------------------------
def prune(run: Run, *kinds: str, partner: Partner | None = None) -> dict[str, int]:
    prune_events(PruneOptions(datetime.now(UTC) - YEAR_AGO, kinds, partner), run)
    return kept(run)


def test_prune_deletes_old_events_of_the_kind_and_partner(api_key: ApiKey, new_run: NewRun) -> None:
    other, _ = factories.key()
    test, _ = factories.key(is_test=True)
    for key in (api_key, other, test):
        events(key, f"old {key.pk}", age=OLD)
        events(key, f"new {key.pk}")
    assert prune(new_run(dry_run=True), EVENTS) == {"events deleted": 3}
    assert Event.objects.count() == 6
    assert prune(new_run(), TEST_EVENTS) == {"test events deleted": 1}
    assert prune(new_run(), EVENTS, partner=api_key.partner) == {"events deleted": 1}
    assert left() == sorted([f"new {api_key.pk}", f"new {other.pk}", f"old {other.pk}", f"new {test.pk}"])
    assert prune(new_run(), EVENTS) == {"events deleted": 1}
    assert prune(new_run(), EVENTS) == {}


def test_prune_deletes_old_rejections_and_their_hours(api_key: ApiKey, new_run: NewRun) -> None:
    refuse(api_key, b"{}", age=OLD)
    refuse(api_key, b"{}")
    assert prune(new_run(), REJECTIONS) == {
        "rejections deleted": 1, "hours of rejections deleted": 1, "counts of rejections deleted": 1,
    }  # fmt: skip
    assert (Rejection.objects.count(), RejectionTally.objects.count(), RejectionCount.objects.count()) == (1, 1, 1)
    assert RejectionGroup.objects.get().count == 2


def test_prune_deletes_a_group_and_its_builds_with_the_last_of_its_rejections(api_key: ApiKey, new_run: NewRun) -> None:
    refuse(api_key, b"{}", age=OLD)
    assert {"groups of rejections deleted": 1, "builds of senders deleted": 1}.items() <= prune(
        new_run(), REJECTIONS
    ).items()
    assert not RejectionGroup.objects.exists()
    assert not Build.objects.exists()


def test_prune_deletes_old_history_and_nothing_else_can(api_key: ApiKey, new_run: NewRun) -> None:
    old = KeyChange.objects.create(key=api_key, what="changed", by_name="x", at=timezone.now() - OLD)
    expired = KeyChange.objects.create(key=api_key, what="expired", by_name="server", at=timezone.now() - OLD)
    assert prune(new_run(dry_run=True), KEY_HISTORY) == {"key history deleted": 1}
    assert prune(new_run(), KEY_HISTORY) == {"key history deleted": 1}
    assert not KeyChange.objects.filter(pk=old.pk).exists()
    assert KeyChange.objects.filter(pk=expired.pk).exists(), "it would be written down again"
    assert KeyChange.objects.filter(key=api_key).count() == 2
    with pytest.raises(TypeError):
        KeyChange.objects.filter(key=api_key).delete()


def test_prune_killed_and_run_again_beside_live_traffic(command: Command, server: Server) -> None:
    api_key, raw_key = factories.key()
    for start in range(0, 12_000, 2000):
        events(api_key, *map(str, range(start, start + 2000)), age=OLD)
    status = command.kill_when(lambda: Event.objects.count() < 11_000, "prune_events", "--older-than", "400d")
    assert status == -signal.SIGKILL
    assert 0 < Event.objects.count() < 12_000
    process = command.start("prune_events", "--older-than", "400d")
    sent = send_beside(process, server, raw_key).total()
    assert Event.objects.count() == sent > 0
    assert command("prune_events", "--older-than", "0").returncode == 1
    assert command("prune_events", "--older-than", "a year").returncode == 2
    assert command("prune_events").returncode == 2
