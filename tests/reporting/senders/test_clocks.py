"""The clock doctor on generated senders: it names what is wrong, and nothing where nothing is."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.senders import clocks
from reporting.senders.clocks import LEAST_EVENTS, Diagnosis, Sample, Signature
from tests.reporting.senders import clock_senders as senders
from tests.reporting.senders.clock_senders import DAY, HOUR, Delay

SEEDS = st.integers(0, 10_000)
EVENTS = st.integers(150, 1_500)
SPANS = st.sampled_from((6 * HOUR, DAY, 7 * DAY))
PROMPT = (senders.prompt, senders.retried)
# The same examples each time: among chance senders there is one in some thousands that looks like another by chance.
generated = settings(max_examples=60)


def only(found: list[Diagnosis]) -> Diagnosis:
    (diagnosis,) = found
    return diagnosis


@generated
@given(SEEDS, EVENTS, SPANS, st.sampled_from(PROMPT), st.integers(-28, 28).filter(lambda n: abs(n) >= 2))
def test_time_zone_is_named(seed: int, events: int, span: float, delay: Delay, half_hours: int) -> None:
    found = only(clocks.diagnose(senders.samples(Random(seed), events, span, delay, half_hours * 1_800)))
    assert (found.signature, found.ahead) == (Signature.TIME_ZONE, half_hours * 1_800)
    assert found.of == events
    assert clocks.zone(half_hours * 1_800) in found.text


@generated
@given(SEEDS, EVENTS, SPANS, st.sampled_from(PROMPT), st.integers(3_700, 400_000), st.sampled_from((1, -1)))
def test_constant_skew_is_named_with_its_size(
    seed: int, events: int, span: float, delay: Delay, size: int, side: int
) -> None:
    ahead = side * (size + (300 if size % 900 < 300 else 0) - (300 if size % 900 > 600 else 0))
    found = only(clocks.diagnose(senders.samples(Random(seed), events, span, delay, ahead)))
    assert found.signature is Signature.SKEW
    assert found.ahead == pytest.approx(ahead, abs=30)


@generated
@given(SEEDS, EVENTS, SPANS, st.sampled_from(PROMPT), st.floats(120, 3_000), st.sampled_from((1, -1)))
def test_drift_is_named_with_its_rate(
    seed: int, events: int, span: float, delay: Delay, total: float, side: int
) -> None:
    drift = side * min(total / span, 0.015)
    found = only(clocks.diagnose(senders.samples(Random(seed), events, span, delay, drift=drift)))
    assert found.signature is Signature.DRIFT
    assert found.drift == pytest.approx(drift, rel=0.25)


@generated
@given(SEEDS, EVENTS, SPANS, st.sampled_from((*PROMPT, senders.late)), st.integers(LEAST_EVENTS, 100))
def test_wrong_unit_is_named_beside_sound_events(seed: int, events: int, span: float, delay: Delay, wrong: int) -> None:
    sound = senders.samples(Random(seed), events, span, delay)
    for factor, signature in ((1e-3, Signature.MILLISECONDS), (1e3, Signature.MICROSECONDS)):
        bad = [Sample(received, happened * factor) for received, happened in sound[:wrong]]
        found = only(clocks.diagnose([*sound[wrong:], *bad]))
        assert (found.signature, found.events) == (signature, wrong)


SOUND = (
    senders.prompt, senders.retried, senders.late, senders.heavy_tailed, senders.batched(300), senders.batched(900),
    senders.batched(HOUR), senders.batched(HOUR, 2 * HOUR), senders.batched(DAY), senders.batched(DAY, 3 * HOUR),
    senders.growing_queue(0.05), senders.growing_queue(0.3), senders.growing_queue(1.0),
    senders.draining_queue(3, 0.1), senders.draining_queue(6, 0.5), senders.draining_queue(5, 0.02),
    senders.truncated(60), senders.truncated(HOUR), senders.truncated(DAY),
)  # fmt: skip


@settings(max_examples=300)
@given(SEEDS, st.integers(1, 1_500), SPANS, st.sampled_from(SOUND), st.floats(-3_000, 3_000))
def test_sound_sender_is_not_accused(seed: int, events: int, span: float, delay: Delay, ahead: float) -> None:
    """Whatever is late, tried again, held up or sent by the hour; nor is a clock that is off by 50 minutes."""
    rng = Random(seed)
    assert clocks.diagnose(senders.samples(rng, events, span, delay)) == []
    if delay in PROMPT:
        assert clocks.diagnose(senders.samples(rng, events, span, delay, ahead)) == []


@generated
@given(SEEDS, EVENTS, SPANS)
def test_queue_that_always_holds_events_for_hours_is_no_clock(seed: int, events: int, span: float) -> None:
    rng = Random(seed)
    assert clocks.diagnose(senders.samples(rng, events, span, senders.wandering_queue(rng))) == []


@pytest.mark.parametrize("factor", [1e-3, 1e3, None])
def test_fewer_than_fifty_events_tell_nothing(factor: float | None) -> None:
    def some(events: int) -> list[Sample]:
        found = senders.samples(Random(1), events, DAY, senders.prompt, 0 if factor else 9 * HOUR)
        return [Sample(received, happened * (factor or 1)) for received, happened in found]

    assert clocks.diagnose(some(LEAST_EVENTS - 1)) == []
    assert len(clocks.diagnose(some(LEAST_EVENTS))) == 1


def test_events_without_a_timestamp_tell_nothing() -> None:
    found = senders.samples(Random(1), 400, DAY, senders.prompt)
    assert clocks.diagnose([Sample(received, received) for received, _ in found]) == []
    behind = senders.samples(Random(2), 100, DAY, senders.prompt, -HOUR)
    diagnosis = only(clocks.diagnose([*behind, *(Sample(received, received) for received, _ in found)]))
    assert (diagnosis.signature, diagnosis.of) == (Signature.TIME_ZONE, 100)


def test_one_upload_of_many_old_events_is_no_clock() -> None:
    at = senders.START + 5 * HOUR
    assert clocks.diagnose([Sample(at, senders.START + n / 10) for n in range(500)]) == []


def test_events_dated_at_midnight_and_sent_at_two_are_no_clock() -> None:
    days = [senders.START + DAY * n for n in range(7)]
    assert clocks.diagnose([Sample(day + 2 * HOUR + n, day) for day in days for n in range(100)]) == []


def test_sender_whose_events_are_mostly_later_than_its_freshest_ones_is_no_clock() -> None:
    rng, found = Random(5), []
    for n in range(2_000):
        delay = rng.uniform(0, 20) if rng.random() < 0.25 else rng.uniform(20, 2 * HOUR)
        found.append(Sample(senders.START + n * 43 + 2 * HOUR + delay, senders.START + n * 43))
    assert clocks.diagnose(found) == []


def test_clock_that_went_wrong_an_hour_ago_is_seen_with_its_beginning() -> None:
    sound = senders.samples(Random(3), 1_000, DAY - HOUR, senders.prompt)
    wrong = [
        Sample(received + DAY, happened + DAY + 2 * HOUR)
        for received, happened in senders.samples(Random(4), 80, HOUR, senders.prompt)
    ]
    found = only(clocks.diagnose([*sound, *wrong]))
    assert (found.signature, found.ahead, found.events) == (Signature.TIME_ZONE, 2 * HOUR, 80)
    assert found.first >= senders.START + DAY


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.5, "0.5 s"), (40, "40 s"), (5 * HOUR, "5 h"), (11_520, "3 h 12 min"), (DAY + 60, "1 day 1 min")],
)
def test_length_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert clocks.length(seconds) == text


def test_texts_say_what_to_change() -> None:
    ahead = Diagnosis(Signature.TIME_ZONE, 60, 60, 0, 1, ahead=19_800)
    assert ahead.text == "The clock is 5 h 30 min ahead: local time of UTC+05:30 is sent as if it were UTC."
    drift = Diagnosis(Signature.DRIFT, 60, 60, 0, 1, ahead=-90, drift=-0.001)
    assert drift.text == "The clock loses 4 s an hour and is now 1 min 30 s behind. Synchronise it (NTP)."
