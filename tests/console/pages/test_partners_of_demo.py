"""What the demo has in it is found on the pages of partners: each fault, on the page of the partner that has it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from time_machine import TimeMachineFixture

from collect.demo import making, profiles, traffic
from collect.demo.traffic import Plan
from keys.models import Partner

pytestmark = pytest.mark.django_db

# A Thursday afternoon: what the demo has today depends on the hour.
NOW = datetime(2026, 11, 26, 15, 40, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_an_hour_of_work(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOW)


@pytest.fixture
def plan(db: None) -> Plan:
    plan = Plan(3_000, 1, traffic.now())
    making.make(plan, lambda _: None)
    return plan


def page(console: Client, profile: profiles.Profile) -> dict[str, Any]:
    partner = Partner.objects.get(name=profile.name)
    found: dict[str, Any] = console.get(f"/admin/partners/{partner.pk}.json").json()
    return found


def test_each_fault_is_found_on_the_page_of_its_partner(console: Client, plan: Plan) -> None:
    pages = {profile: page(console, profile) for profile in profiles.PROFILES}
    clocks = {profile.name: [one["signature"] for one in found["clock"]] for profile, found in pages.items()}
    assert {name: found for name, found in clocks.items() if found} == {
        profiles.HARBOR.name: ["time_zone"],
        profiles.BODEGA.name: ["microseconds"],
    }
    assert pages[profiles.HARBOR]["clock"][0]["ahead_seconds"] == -5 * 3_600
    assert pages[profiles.NORTHWIND]["partner"]["refused_share"] > 0.02
    warned = {profile.name: " ".join(found["partner"]["warnings"]) for profile, found in pages.items()}
    assert "silent since" in warned[profiles.KUMO.name]
    assert "expires at" in warned[profiles.STREAMLINE.name]
    for label, told in (
        ("till export", "is used and always refused"),
        ("old storefront", "is revoked and still being"),
    ):
        assert re.search(rf"key {label} \(\w{{12}}\) {told}", warned[profiles.BODEGA.name])
    assert (warned[profiles.HARBOR.name], warned[profiles.NORTHWIND.name]) == ("", "")
    fields = {profile.name: found["vanished"] for profile, found in pages.items() if found["vanished"]}
    assert fields.keys() == {profiles.BODEGA.name}
    (fall,) = fields[profiles.BODEGA.name]
    assert (fall["name"], fall["field"]) == ("order_created", "params.value")
    lost = plan.stories.lost_value
    margin = timedelta(seconds=90)  # an event is on its way for a moment
    assert datetime.fromisoformat(fall["last"]) - margin < lost < datetime.fromisoformat(fall["first"]) + margin
