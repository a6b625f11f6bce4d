"""All that writes, changes and deletes events, each by the code that does it, with events to be drawn by hypothesis."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from collect.backfills import erasing, pruning
from collect.backfills.deriving import derive_tags
from collect.backfills.reenriching import ReenrichOptions, reenrich_events
from collect.backfills.replaying import ReplayOptions, replay_rejections
from collect.backfills.run import Run
from collect.backfills.selection import Selection
from collect.storage import drain, ingest, rejections, spool, store
from collect.storage.rejections import Record
from collect.storage.rows import Arrival, Row, uuid7
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.harness import factories

PARTNERS = ("acme", "globex")
CLIENTS = ("ann", "bob")
COMMANDS = ("erase", "prune", "prune of tests", "reenrich", "reenrich of missing", "derive")
_numbers = count(1)
_SECOND = timedelta(seconds=1)
# How long before now events were received. What an event of the network has is below half a minute.
LIVE = tuple(_SECOND * seconds for seconds in (0, 0.0003, 12, 29.5))
OLD = tuple(_SECOND * seconds for seconds in (31, 59.9, 61, 600, 899.9997, 3_600, 90_000, 3_000_000))
AHEAD = tuple(-_SECOND * seconds for seconds in (40, 1_200))


@dataclass(frozen=True)
class Draft:
    """An event before it is known when it is received."""

    partner: str
    ago: timedelta
    is_on_border: bool = False
    happened_before: timedelta = timedelta(0)
    client: str | None = None
    params: tuple[object, object] = (1.5, "EUR")
    is_test: bool = False
    has_derived_tag: bool = False
    agent: str | None = None

    def arrival(self, now: datetime) -> Arrival:
        received_at = now - self.ago
        if self.is_on_border:
            # The last half millisecond of the quarter-hour before.
            border = received_at.replace(minute=received_at.minute // 15 * 15, second=0, microsecond=0)
            received_at = max(border - timedelta(microseconds=200), received_at - 29 * _SECOND)
        value, currency = self.params
        number = next(_numbers)
        row = Row(
            id=uuid7(received_at, number),
            received_at=received_at,
            timestamp=received_at - self.happened_before,
            partner_id=factories.partner(self.partner).pk,
            api_key_id=_key(self.partner, is_test=self.is_test).pk,
            channel="server",
            is_test=self.is_test,
            event_name="order_created" if number % 2 else "lead_created",
            tag_id="site:old.example" if self.has_derived_tag else "shop",
            tag_derived=True if self.has_derived_tag else None,
            page_url="https://new.example/" if self.has_derived_tag else None,
            # Of these some collide once their tags are derived anew.
            event_id=f"order {number % 3} {number // 6}" if self.client else None,
            client_id=self.client,
            user_agent=self.agent,
            params=msgspec.Raw(json.dumps({"value": value, "currency": currency}).encode()),
            extra=msgspec.Raw(b"{}"),
        )
        return Arrival.of(row, b"{}", "")


_PARAMS = st.sampled_from(((1.5, "EUR"), (0.0001, "usd"), (7, None), (7, "QQQ"), (None, None)))


def drafts(ago: Sequence[timedelta]) -> SearchStrategy[list[Draft]]:
    one = st.builds(
        Draft,
        partner=st.sampled_from(PARTNERS),
        ago=st.sampled_from(ago),
        is_on_border=st.sampled_from((False, False, False, True)),
        happened_before=st.sampled_from((timedelta(0), timedelta(hours=5), timedelta(days=20))),
        client=st.sampled_from((None, "", *CLIENTS)),
        params=_PARAMS,
        is_test=st.sampled_from((False, False, True)),
        has_derived_tag=st.booleans(),
        agent=st.sampled_from((None, "curl/8.4.0")),
    )
    return st.lists(one, min_size=1, max_size=4)


@dataclass(frozen=True)
class Write:
    """Events that come by one of the roads."""

    road: str
    drafts: Sequence[Draft]

    def __call__(self, now: datetime) -> Callable[[], object]:
        arrivals = [draft.arrival(now) for draft in self.drafts]
        return {
            "network": lambda: ingest.write(arrivals),
            "spool": lambda: _through_the_spool(arrivals),
            "import": lambda: store.write_new(arrivals) or ingest.write(arrivals),
            "replay": lambda: _replay(arrivals),
        }[self.road]


@dataclass(frozen=True)
class Change:
    """A command that changes events or deletes them."""

    command: str
    partner: str
    client: str
    days: int

    @property
    def prunes(self) -> bool:
        return self.command.startswith("prune")

    def __call__(self, now: datetime) -> Callable[[], object]:
        owner = factories.partner(self.partner)
        run = Run(self.command, lambda _line: None, restart=True)
        before = pruning.PruneOptions(now - timedelta(days=self.days, seconds=20), partner=owner)
        return {
            "erase": lambda: erasing.erase_events(erasing.EraseOptions(owner, "client_id", self.client), run),
            "prune": lambda: pruning.prune_events(before, run),
            "prune of tests": lambda: pruning.prune_test_events(step=2, pause=0),
            "reenrich": lambda: reenrich_events(ReenrichOptions(geo=False), run),
            "reenrich of missing": lambda: reenrich_events(ReenrichOptions(geo=False, only_missing=True), run),
            "derive": lambda: derive_tags(Selection(), run),
        }[self.command]


Work = Write | Change
writes: SearchStrategy[Work] = st.one_of(
    st.builds(Write, st.just("network"), drafts(LIVE)),
    st.builds(Write, st.sampled_from(("spool", "replay")), drafts((*LIVE, *OLD))),
    st.builds(Write, st.just("import"), drafts((*LIVE, *OLD, *AHEAD))),
)
changes: SearchStrategy[Work] = st.builds(
    Change,
    st.sampled_from(COMMANDS),
    st.sampled_from(PARTNERS),
    st.sampled_from(CLIENTS),
    st.sampled_from((0, 0, 1)),
)
work: SearchStrategy[Work] = st.one_of(writes, changes)


def _through_the_spool(arrivals: Sequence[Arrival]) -> None:
    spool.append(arrivals)
    drain.drain(step=2)


def _replay(arrivals: Sequence[Arrival]) -> None:
    """Keep a rejection of each, which was received when the event would have been, and replay them."""
    for row in (arrival.row for arrival in arrivals):
        source = factories.source(ApiKey.objects.get(pk=row.api_key_id or 0), received_at=row.received_at)
        body = json.dumps(
            {"event_name": row.event_name, "client_id": row.client_id, "params": json.loads(bytes(row.params))}
        )
        rejections.keep([Record.of_refusal(Refusal(Code.INVALID_EVENT, "no"), source, body.encode(), "")])
    replay_rejections(ReplayOptions(), Run("replay", lambda _line: None, restart=True))


def _key(partner: str, *, is_test: bool) -> ApiKey:
    owner = factories.partner(partner)
    found = ApiKey.objects.filter(partner=owner, is_test=is_test).first()
    return found or factories.issue(partner=owner, is_test=is_test)[0]
