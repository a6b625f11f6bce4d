"""Is all well? What an operator should look at now, each with a sentence and a number, the urgent first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from collect.models import Machine
from collect.storage.outcomes import Outcome
from reporting.conservation import SILENT, Conservation
from reporting.traffic import Totals
from runtime.display import second, share

# A machine that has not reported for a day is no machine of this server any more.
GONE = timedelta(days=1)
# Networks change hands all the time: MaxMind publishes twice a week.
GEO_OLD = timedelta(days=30)
# From this share of refused events on, and not for a handful of them.
REFUSED_SHARE, REFUSED_EVENTS = 0.05, 20


class State(StrEnum):
    """How urgent it is."""

    BROKEN = "broken"
    ATTENTION = "attention"
    WELL = "well"


class Topic(StrEnum):
    """What a finding is about, and so where it leads."""

    LEDGER = "ledger"
    REJECTIONS = "rejections"
    SPOOL = "spool"
    MACHINES = "machines"
    GEO = "geo"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about the state of the server."""

    state: State
    topic: Topic
    text: str


def find(hour: Totals, equation: Conservation, now: datetime) -> list[Finding]:
    """Return what is to be said of the last hour and of the machines: one sentence at least on each topic."""
    there = Machine.objects.filter(reported_at__gt=now - GONE)
    # One that was stopped a moment ago may be about to start again.
    machines = list(there.exclude(stopped_at__lt=now - SILENT).order_by("name")[:100])
    found = [
        *_accounts(equation),
        *_answers(hour),
        *_refusals(hour),
        *_spools(machines),
        *_reports(machines, now),
        *_geo(machines, now),
    ]
    order = list(State)
    return sorted(found, key=lambda finding: order.index(finding.state))


def _accounts(equation: Conservation) -> Iterator[Finding]:
    if equation.is_whole:
        yield Finding(State.WELL, Topic.LEDGER, "Every event of the last hour is accounted for")
        return
    state = State.ATTENTION if equation.is_explained else State.BROKEN
    rows = equation.rows.difference if equation.rows else 0
    text = f"{abs(equation.difference) + abs(rows):,} events of the last hour are not accounted for"
    yield Finding(state, Topic.LEDGER, text)


def _answers(hour: Totals) -> Iterator[Finding]:
    if lost := hour.outcomes.get(Outcome.UNAVAILABLE, 0):
        text = f"{lost:,} events were answered 503 in the last hour: their senders have to send them again"
        yield Finding(State.BROKEN, Topic.LEDGER, text)
    if spooled := hour.outcomes.get(Outcome.SPOOLED, 0):
        text = f"{spooled:,} events of the last hour went to the spool: the database was away"
        yield Finding(State.ATTENTION, Topic.LEDGER, text)
    if turned_away := sum(hour.turned_away.values()):
        causes = ", ".join(f"{code.replace('_', ' ')} {number:,}" for code, number in sorted(hour.turned_away.items()))
        text = f"{turned_away:,} requests with a known key never became events in the last hour: {causes}"
        yield Finding(State.ATTENTION, Topic.LEDGER, text)


def _refusals(hour: Totals) -> Iterator[Finding]:
    refused = hour.outcomes.get(Outcome.REJECTED, 0)
    if refused >= REFUSED_EVENTS and hour.refused_share >= REFUSED_SHARE:
        text = f"{refused:,} events were refused in the last hour, {share(hour.refused_share)} of what came in"
        yield Finding(State.ATTENTION, Topic.REJECTIONS, text)
    else:
        text = f"{refused:,} of {hour.received:,} events were refused in the last hour"
        yield Finding(State.WELL, Topic.REJECTIONS, text)


def _spools(machines: Sequence[Machine]) -> Iterator[Finding]:
    waiting = [machine for machine in machines if machine.spool_events]
    for machine in waiting:
        since = f" since {second(machine.spool_oldest)} UTC" if machine.spool_oldest else ""
        text = f"{machine.spool_events:,} events wait in the spool of {machine.name}{since}"
        yield Finding(State.ATTENTION, Topic.SPOOL, text)
    for machine in machines:
        if machine.spool_set_aside:
            text = f"{machine.spool_set_aside:,} events that the database refused are set aside on {machine.name}"
            yield Finding(State.BROKEN, Topic.SPOOL, text)
    if not waiting:
        yield Finding(State.WELL, Topic.SPOOL, "Nothing waits in a spool")


def _reports(machines: Sequence[Machine], now: datetime) -> Iterator[Finding]:
    silent = [one for one in machines if one.reported_at < now - SILENT and one.stopped_at is None]
    for machine in silent:
        text = f"{machine.name} has not reported since {second(machine.reported_at)} UTC"
        yield Finding(State.BROKEN, Topic.MACHINES, text)
    if machines and not silent:
        text = "The machine reports" if len(machines) == 1 else f"All {len(machines)} machines report"
        yield Finding(State.WELL, Topic.MACHINES, text)
    if not machines:
        yield Finding(State.ATTENTION, Topic.MACHINES, "No machine has reported in the last day")


def _geo(machines: Sequence[Machine], now: datetime) -> Iterator[Finding]:
    for machine in machines:
        if machine.geo_built_at is None:
            is_missing = machine.geo_state == "missing"
            text = "has no geo database: events come without a place" if is_missing else "cannot use its geo database"
            yield Finding(State.ATTENTION, Topic.GEO, f"{machine.name} {text}")
        elif machine.geo_built_at < now - GEO_OLD:
            text = f"The geo database of {machine.name} is {(now - machine.geo_built_at).days} days old"
            yield Finding(State.ATTENTION, Topic.GEO, text)
    if machines and all(machine.geo_built_at and machine.geo_built_at >= now - GEO_OLD for machine in machines):
        yield Finding(State.WELL, Topic.GEO, "The geo database is up to date")
