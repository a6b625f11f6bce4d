"""What the demo sends: the same for a seed, believable, and with the faults that it tells of."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from collect.demo import profiles, traffic
from collect.demo.sending import NEW_BUILD, Sent
from collect.demo.traffic import Plan
from collect.enrichment import user_agent
from collect.intake import contract
from runtime.refusals import Refusal

UNTIL = datetime(2026, 11, 26, 16, 5, tzinfo=UTC)
DOCUMENTATION = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


@cache
def sent(seed: int = 1, events: int = 6_000) -> list[Sent]:
    return list(traffic.all_sent(Plan(events, seed, UNTIL)))


def of(profile: profiles.Profile) -> list[Sent]:
    """What came with the partner's first key."""
    return [one for one in sent() if (one.partner, one.label) == (profile.name, profile.keys[0].label)]


def accepted(found: list[Sent]) -> list[tuple[Sent, dict[str, Any]]]:
    """Those that keep to the contract, with their fields."""
    kept = []
    for one in found:
        try:
            contract.decode(one.body)
        except Refusal:
            continue
        kept.append((one, json.loads(one.body)))
    return kept


def ages(found: list[Sent]) -> list[float]:
    """The seconds between the moment that each sender gave and the arrival."""
    return [one.at.timestamp() - contract.moment(event["timestamp"]).timestamp() for one, event in accepted(found)]


def test_same_seed_makes_the_same_traffic() -> None:
    assert list(traffic.all_sent(Plan(2_000, 7, UNTIL))) == list(traffic.all_sent(Plan(2_000, 7, UNTIL)))
    bodies = [[one.body for one in traffic.all_sent(Plan(2_000, seed, UNTIL))] for seed in (7, 8)]
    assert bodies[0] != bodies[1]


def test_ids_of_two_runs_differ() -> None:
    later = traffic.all_sent(Plan(6_000, 1, UNTIL + timedelta(minutes=1)))
    ids = [{event.get("event_id") for _, event in accepted(list(found))} - {None} for found in (sent(), later)]
    assert min(map(len, ids)) > 1_000
    assert not ids[0] & ids[1]


def test_number_is_about_what_was_asked_for() -> None:
    assert 5_500 < len(sent()) < 6_700
    assert len({one.partner for one in sent()}) == 5


def test_arrivals_are_in_order_and_within_the_thirty_days() -> None:
    moments = [one.at for one in sent()]
    assert moments == sorted(moments)
    assert UNTIL - timedelta(days=30) <= moments[0]
    assert moments[-1] < UNTIL


def test_addresses_are_those_of_documentation_and_of_both_kinds() -> None:
    addresses = {ip_address(one.address) for one in sent()}
    assert {address.version for address in addresses} == {4, 6}
    assert [address for address in addresses if not any(address in net for net in DOCUMENTATION)] == []
    assert all(one.place.country and one.place.lat is not None for one in sent())


def test_some_visitors_are_bots_and_most_are_not() -> None:
    agents = [user_agent.parse(event.get("user_agent")) for _, event in accepted(of(profiles.NORTHWIND))]
    bots = sum(agent.is_bot is True for agent in agents)
    assert 0 < bots < len(agents) / 10
    assert all(agent.browser for agent in agents if not agent.is_bot)


def test_funnel_narrows_and_orders_have_value_currency_and_order_id() -> None:
    events = [event for _, event in accepted(of(profiles.KUMO))]
    counts = Counter(event["event_name"] for event in events)
    steps = [counts[name] for name in ("contents_viewed", "items_added", "checkout_started", "order_created")]
    assert steps == sorted(steps, reverse=True)
    assert min(steps) > 0
    orders = [event["params"] for event in events if event["event_name"] == "order_created"]
    assert all({"value", "currency", "order_id"} <= params.keys() for params in orders)
    assert {params["currency"] for params in orders} == {"JPY"}


def test_events_of_a_session_are_in_the_order_of_the_funnel() -> None:
    order = ["contents_viewed", "items_added", "checkout_started", "order_created"]
    sessions = defaultdict(list)
    for _, event in accepted(of(profiles.KUMO)):
        sessions[event["session_id"]].append((event["timestamp"], order.index(event["event_name"])))
    for steps in sessions.values():
        places = [place for _, place in sorted(steps)]
        assert places == sorted(places)


@pytest.mark.parametrize("profile", [profiles.KUMO, profiles.NORTHWIND])
def test_evening_is_busier_than_night_in_the_partners_own_zone(profile: profiles.Profile) -> None:
    hours = Counter((one.at + profile.utc_offset).hour for one in of(profile))
    assert sum(hours[hour] for hour in (19, 20, 21)) > 3 * sum(hours[hour] for hour in (2, 3, 4))


def test_new_build_is_refused_from_its_minute_on_and_the_old_one_goes_on() -> None:
    began = Plan(6_000, 1, UNTIL).stories.new_build
    new = [one for one in of(profiles.NORTHWIND) if one.agent == NEW_BUILD]
    assert len(new) >= 40
    assert began <= new[0].at
    assert accepted(new) == []
    old = [one for one in of(profiles.NORTHWIND) if one.agent == profiles.NORTHWIND.agent and one.at > new[0].at]
    assert len(accepted(old)) > 20


def test_silent_partner_sent_in_each_hour_and_then_nothing() -> None:
    moments = [one.at for one in of(profiles.KUMO)]
    assert UNTIL - timedelta(hours=3) < moments[-1] < UNTIL - timedelta(hours=2)
    hours = {(UNTIL - moment) // timedelta(hours=1) for moment in moments}
    assert set(range(2, 26)) <= hours


def test_one_clock_is_hours_behind_and_the_others_are_right() -> None:
    late = sorted(ages(of(profiles.HARBOR)))
    assert 5 * 3600 < late[len(late) // 2] < 5 * 3600 + 60
    for profile in set(profiles.PROFILES) - {profiles.HARBOR}:
        found = sorted(ages(of(profile)))
        assert found[0] >= 0
        assert found[len(found) // 2] < 300


def test_orders_lose_their_value_at_a_moment() -> None:
    lost = Plan(6_000, 1, UNTIL).stories.lost_value
    orders = [event for _, event in accepted(of(profiles.BODEGA)) if event["event_name"] == "order_created"]
    has_value = [(event["timestamp"], "value" in event["params"]) for event in orders]
    assert any(has for _, has in has_value)
    assert [moment for moment, has in has_value if has and moment > lost.timestamp()] == []
    assert sum(moment > lost.timestamp() for moment, _ in has_value) >= 8


def test_key_of_the_tills_is_always_refused() -> None:
    tills = [one for one in sent() if one.label == "till export"]
    assert len(tills) > 100
    assert accepted(tills) == []
