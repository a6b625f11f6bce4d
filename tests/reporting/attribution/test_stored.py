"""What the database has of conversions and touches leads to the same attribution as the rules alone, on both."""

import dataclasses
import random
from datetime import timedelta
from typing import Any

import pytest

from collect.backfills import erasing
from collect.backfills.run import Run
from collect.models import Event
from reporting.attribution import journey, stored
from reporting.attribution.attributing import Attribution, Reason, attribute
from reporting.attribution.rules import Model, Rules
from reporting.models import ReportedTouch
from reporting.ranges import Range
from tests.harness import factories, plans
from tests.harness.databases import is_sqlite
from tests.reporting.views.events import NOON
from tests.reporting.views.events import stored as event

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OVER = Range(NOON - DAY, NOON + DAY)


def told(found: Attribution) -> Any:
    if found.reason is not None:
        return found.reason
    return [
        (credit.touch.by.interaction, journey.MATCHES[credit.touch.match], credit.value_e4) for credit in found.credits
    ]


def attributed(model: Model = Model.LINEAR, over: Range = OVER) -> dict[str | None, Any]:
    """What each conversion of the range is attributed to, by its event_id."""
    return {found.conversion.event_id: told(found) for found in stored.attributed(over, Rules(model))}


def journey_ids(row: ReportedTouch) -> journey.Ids:
    return row.click_id, row.impression_id, row.bid_id, row.session_id, row.client_id


def order(event_id: str = "o1", **fields: Any) -> str:
    value = fields.pop("value", 10)
    params = {} if value is None else {"value": value, "currency": "EUR"}
    return event(event_id=event_id, params=params, **fields)


def touch(before: Any = HOUR, **fields: Any) -> str:
    return event(event_name="contents_viewed", timestamp=NOON - before, **fields)


def test_touches_are_those_of_the_same_partner_with_an_id_in_common() -> None:
    order(session_id="s", client_id="c")
    touch(9 * DAY, click_id="k1", client_id="c")
    touch(2 * HOUR, impression_id="i1", session_id="s")
    touch(session_id="s")
    touch(click_id="k2", session_id="another")
    touch(click_id="k3", session_id="s", partner="globex")
    touch(click_id="k4", session_id="s", is_test=True)
    assert attributed() == {"o1": [("k1", "client_id", 5_0000), ("i1", "session_id", 5_0000)]}


@pytest.mark.parametrize("name", journey.MATCHES)
def test_each_id_leads_to_a_touch(name: Any) -> None:
    id, other = "ü'\"{,}\\%s", "Ü'\"{,}\\%s"
    order(**{name: id})
    touch(attribution_type="click", **{name: id})
    order("o2", **{name: other})
    found = attributed()
    assert {match for _, match, _ in found["o1"]} == {name}
    assert found["o1"][0][0] == (None if name in ("session_id", "client_id") else id)
    # A conversion that names an interaction shows it. Nothing is matched to an id that is only alike.
    shows = name in ("click_id", "impression_id")
    assert found["o2"] == ([(other, name, 10_0000)] if shows else Reason.NO_TOUCH)


@pytest.mark.parametrize("blank", [None, "", " "])
def test_blank_ids_lead_nowhere(blank: str | None) -> None:
    order(session_id=blank, client_id=blank)
    touch(click_id="k", session_id=blank, client_id=blank)
    assert attributed() == {"o1": Reason.NO_IDS}


def test_conversion_itself_shows_the_click_that_it_names_unless_an_earlier_event_does() -> None:
    order("o1", click_id="k1")
    order("o2", click_id="k2")
    touch(31 * DAY, click_id="k2")
    order("o3", attribution_type="click", session_id="s")
    found = attributed()
    assert found["o1"] == [("k1", "click_id", 10_0000)]
    # However old it is: the click was then.
    assert found["o2"] == Reason.OUTSIDE
    assert found["o3"] == Reason.NO_TOUCH


def test_reasons_are_told() -> None:
    order("none", value=None)
    order("alone", session_id="alone")
    order("organic", session_id="alone", attribution_type="organic")
    order("late", session_id="late")
    order("early", session_id="early")
    touch(25 * HOUR, impression_id="i", session_id="late")
    touch(-HOUR, click_id="k", session_id="early")
    assert attributed() == {
        "none": Reason.NO_IDS,
        "alone": Reason.NO_TOUCH,
        "organic": Reason.ORGANIC,
        "late": Reason.OUTSIDE,
        "early": Reason.AFTER,
    }


def test_range_and_partner_choose_conversions_and_no_touches() -> None:
    order("before", timestamp=OVER.start - timedelta(microseconds=1), session_id="s")
    order("first", timestamp=OVER.start, session_id="s")
    order("last", timestamp=OVER.end - timedelta(microseconds=1), session_id="s")
    order("after", timestamp=OVER.end, session_id="s")
    order("theirs", partner="globex")
    touch(5 * DAY, click_id="k", session_id="s")
    assert attributed().keys() == {"first", "last", "theirs"}
    assert attributed()["first"] == attributed()["last"] == [("k", "session_id", 10_0000)]
    of_globex = stored.attributed(OVER, Rules(), factories.partner("globex"))
    assert [found.conversion.event_id for found in of_globex] == ["theirs"]


def test_moments_are_exact_to_the_microsecond() -> None:
    tick = timedelta(microseconds=1)
    order(timestamp=NOON + tick, session_id="s")
    touch(DAY - 2 * tick, impression_id="i1", session_id="s")
    touch(DAY, impression_id="i2", session_id="s")
    (found,) = stored.attributed(OVER, Rules())
    assert [(credit.touch.by.interaction, credit.touch.gap) for credit in found.credits] == [("i1", DAY - tick)]
    assert [(lost.by.interaction, lost.gap) for lost, _ in found.lost] == [("i2", DAY + tick)]
    assert found.conversion.timestamp == NOON + tick


@pytest.mark.parametrize("model", Model)
def test_batches_do_not_matter(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        order(f"o{number}", session_id=f"s{number}", client_id=f"c{number % 2}")
        touch(number * DAY, click_id=f"k{number}", session_id=f"s{number}", client_id=f"c{number % 3}")
        touch(number * HOUR, impression_id=f"i{number}", client_id=f"c{number % 2}")
    at_once = attributed(model)
    monkeypatch.setattr(stored, "BATCH", 2)
    assert attributed(model) == at_once
    for found in stored.attributed(OVER, Rules(model)):
        row = stored.conversions(OVER, None).get(pk=found.conversion.id)
        alone = stored.one(row, Rules(model))
        assert (told(alone), alone.reason, len(alone.lost)) == (told(found), found.reason, len(found.lost))


def test_id_that_too_many_touches_have_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MOST", 3)
    for number in range(4):
        # Events of one click are one touch, however many they are.
        touch(click_id=f"k{number}", client_id="undefined", session_id="one" if number < 1 else "s")
        touch(click_id="k9", client_id="c")
    order("o1", client_id="undefined")
    order("o2", client_id="undefined", session_id="one")
    order("o3", client_id="c")
    assert attributed() == {
        "o1": Reason.SHARED,
        "o2": [("k0", "session_id", 10_0000)],
        "o3": [("k9", "client_id", 10_0000)],
    }


def test_duplicate_changes_nothing() -> None:
    ids: dict[str, Any] = {"session_id": "s", "click_id": "k0"}
    order(**ids)
    touch(9 * DAY, click_id="k1", session_id="s", event_id="t1")
    touch(8 * DAY, attribution_type="click", session_id="s", event_id="t2")
    before = attributed()
    assert [credit[0] for credit in before["o1"]] == ["k0", None, "k1"]
    # The same once more: nothing is stored. Under another tag it is, by the server as by the browser.
    for tag in ("shop", "server"):
        later: dict[str, Any] = {"tag_id": tag, "received_at": NOON + HOUR}
        order(timestamp=NOON, **ids, **later)
        at: dict[str, Any] = {"event_name": "contents_viewed", "session_id": "s", **later}
        event(timestamp=NOON - 9 * DAY, click_id="k1", event_id="t1", **at)
        event(timestamp=NOON - 8 * DAY, attribution_type="click", event_id="t2", **at)
    assert Event.objects.count() == 6
    assert attributed() == before


@pytest.mark.django_db(transaction=True, databases=["default", "spool"])
def test_touch_that_is_erased_is_credited_no_more(settings: Any, tmp_path: Any) -> None:
    settings.SPOOL_PATH = str(tmp_path / "spool.sqlite3")
    order("o1", session_id="s1")
    touch(3 * DAY, click_id="k1", session_id="s1", event_id="t1")
    touch(2 * DAY, click_id="k2", session_id="s1", event_id="t2")
    order("o2", session_id="s2")
    touch(click_id="k3", session_id="s2", event_id="t3")
    assert attributed(Model.LAST)["o1"] == [("k2", "session_id", 10_0000), ("k1", "session_id", 0)]
    for event_id in ("t2", "t3"):
        options = erasing.EraseOptions(factories.partner("acme"), "event_id", event_id)
        erasing.erase_events(options, Run("test", lambda _: None))
    assert attributed() == {"o1": [("k1", "session_id", 10_0000)], "o2": Reason.NO_TOUCH}


@pytest.mark.parametrize("number", [1, 500])
def test_batch_costs_one_pass_over_the_touches(number: int) -> None:
    for place in range(number):
        order(f"o{place}", session_id=f"s{place}", client_id=f"c{place}", click_id=f"k{place}")
    with plans.captured() as queries:
        assert len(attributed()) == number
    assert len(queries) == 2
    # Each of the lists is looked up in: nothing is read for each of its values.
    plan = plans.explain(queries[1]).text
    assert plan.count("Seq Scan" if not is_sqlite() else "SCAN e") <= 2


def test_touch_is_as_early_as_its_earliest_event_whenever_that_came_in() -> None:
    order(session_id="s")
    touch(click_id="k", session_id="s")
    touch(5 * DAY, click_id="k", session_id="s", received_at=NOON + HOUR)
    (found,) = stored.attributed(OVER, Rules())
    assert [credit.touch.gap for credit in found.credits] == [5 * DAY]


@pytest.mark.parametrize("seed", range(3))
def test_attribution_is_that_of_all_touches_at_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules alone, given every touch that there is, find the same: batches and indexes leave out nothing."""
    chance = random.Random(seed)
    monkeypatch.setattr(stored, "BATCH", 4)
    for number in range(70):
        ids: dict[str, Any] = {name: chance.choice([None, None, "x", "y", "z"]) for name in journey.MATCHES}
        event(
            chance.choice(["acme", "acme", "globex"]),
            event_name=chance.choice(["order_created", "contents_viewed", "contents_viewed"]),
            event_id=chance.choice([None, f"e{number}"]),
            timestamp=NOON - timedelta(hours=chance.randrange(-20, 900)) * chance.choice([0, 1]),
            received_at=NOON + timedelta(seconds=chance.randrange(60)),
            attribution_type=chance.choice([None, None, "click", "view", "organic"]),
            params={"value": chance.randrange(-500, 9_999) / 100, "currency": "EUR"},
            **ids,
        )
    names = [field.name for field in dataclasses.fields(journey.Shown)][:-1]
    shown = [
        journey.Shown(**{name: getattr(row, name) for name in names}, ids=journey_ids(row))
        for row in ReportedTouch.objects.all()
    ]
    found = list(stored.attributed(Range(NOON - 40 * DAY, NOON + DAY), Rules(Model.POSITION)))
    assert len(found) > 10
    assert any(one.credits for one in found)
    for one in found:
        alone = attribute(one.conversion, shown, Rules(Model.POSITION))
        assert (told(one), one.reason) == (told(alone), alone.reason)
        assert [lost.by.id for lost, _ in one.lost] == [lost.by.id for lost, _ in alone.lost]
