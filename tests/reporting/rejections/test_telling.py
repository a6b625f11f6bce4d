"""What is said of an incident, and edges of how it is found."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from reporting.rejections import bursts, telling
from reporting.rejections.bursts import Burst, Point
from reporting.rejections.incidents import Incident, SeenBuild, Share, incident

NOON = datetime(2026, 5, 26, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
A, B = Share("svc/2", 1_200), Share("svc/1", 7)


def found(culprits: Sequence[Share], steady: Sequence[Share] = (), spared: Sequence[str] = ()) -> Incident:
    return Incident(NOON, culprits, steady, spared, ())


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (found([A]), "began 2026-05-26 12:00:00 UTC, all 1,200 from svc/2"),
        (found([A], spared=["svc/1"]), ", all 1,200 from svc/2; none from svc/1, which went on sending"),
        (found([A, B]), ", 1,207 from svc/2 (1,200) and svc/1 (7)"),
        (found([A], [B]), ", of 1,207 most from svc/2 (1,200); as before from svc/1 (7)"),
    ],
)
def test_incident_is_told_in_one_sentence(one: Incident, told: str) -> None:
    assert telling.when(one).endswith(told)


def point(minute: int, count: int = 1, minutes: int = 1) -> Point:
    return Point(NOON + minute * MINUTE, minutes, NOON + minute * MINUTE + timedelta(seconds=7), count)


def build(name: str, points: Sequence[Point], requests: int = 1_000, last: int = 60) -> SeenBuild:
    return SeenBuild(name, NOON, NOON + last * MINUTE, requests, points)


def none_kept(name: str, start: datetime, end: datetime) -> Sequence[datetime]:
    return []


def test_group_whose_counts_are_gone_has_no_incident() -> None:
    assert incident([build("svc/1", [])], none_kept) is None


def test_single_rejection_is_an_incident() -> None:
    one = incident([build("svc/1", [point(3)])], none_kept)
    assert one == Incident(NOON + timedelta(minutes=3, seconds=7), [Share("svc/1", 1)], [], [], [])


def test_build_that_sent_nothing_since_is_gone_and_not_spared() -> None:
    one = incident([build("new", [point(30, 50)]), build("old", [], last=20), build("other", [], last=31)], none_kept)
    assert one is not None
    assert (one.spared, one.gone) == (["other"], ["old"])


def test_trickle_beside_a_burst_is_no_culprit() -> None:
    steady = [point(5 * n) for n in range(12)]
    one = incident([build("new", [point(n, 40) for n in range(40, 60)]), build("old", steady)], none_kept)
    assert one is not None
    assert ([share.build for share in one.culprits], [share.build for share in one.steady]) == (["new"], ["old"])


def test_onset_is_known_to_the_minute_where_no_copies_were_kept() -> None:
    noise, burst = [point(n) for n in range(0, 300, 3)], [point(n, 50) for n in range(300, 320)]
    one = incident([build("svc/1", [*noise, *burst], requests=10_000)], none_kept)
    assert one is not None
    assert one.onset == NOON + timedelta(minutes=300, seconds=7)


def test_hours_and_minutes_are_one_series() -> None:
    hours = [point(60 * n, 60, 60) for n in range(10)]
    burst = bursts.present([*hours, *(point(600 + n, 90) for n in range(30))])
    assert burst.onset == NOON + timedelta(minutes=600, seconds=7)
    assert (burst.count, round(burst.rate_before * 60)) == (2_700, 1)


def test_rate_that_did_not_rise_has_its_onset_at_the_beginning() -> None:
    assert bursts.present([point(n, 9 + n % 3) for n in range(200)]).onset == NOON + timedelta(seconds=7)


def test_moment_is_left_where_nothing_is_known_of_single_ones() -> None:
    burst = Burst(NOON, 10, MINUTE, 0.01)
    assert bursts.refine([], burst) == NOON
    assert bursts.refine([NOON + MINUTE], Burst(NOON, 1, MINUTE, 9.0)) == NOON
