"""Rejections of one cause are one group, which counts them all, whatever a sender does."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from collect.intake import contract
from collect.intake.source import Source
from collect.models import Build, Rejection, RejectionCount, RejectionGroup
from collect.storage import rejections
from collect.storage.grouping import builds, groups
from collect.storage.rejections import Record
from runtime.refusals import Code, Refusal
from tests.harness import factories

NOON = datetime(2026, 5, 26, 12, 0, 30, tzinfo=UTC)
NO_NAME = contract.invalid_event({"event_name": ["required"]})


@pytest.fixture
def source(db: None) -> Source:
    api_key, _ = factories.key()
    return factories.source(api_key, received_at=NOON)


def refuse(refusal: Refusal, source: Source, seconds: float = 0, **meta: Any) -> None:
    values = {name: getattr(source, name) for name in source.__struct_fields__}
    values |= {"received_at": source.received_at + timedelta(seconds=seconds), "meta": meta}
    factories.reject(refusal, Source(**values), b"{}")


def counts() -> Mapping[tuple[str, str], int]:
    return {(group.code, group.message): group.count for group in RejectionGroup.objects.all()}


def told(detail: str) -> Refusal:
    return Refusal(Code.INVALID_EVENT, detail)


def test_group_counts_first_and_last_of_its_rejections(source: Source) -> None:
    for seconds in (60, 0, 30):
        refuse(NO_NAME, source, seconds)
    group = RejectionGroup.objects.get()
    assert (group.partner_id, group.api_key_id, group.count) == (source.partner_id, source.api_key_id, 3)
    assert (group.code, group.path, group.message) == ("invalid_event", "event_name", "event_name: required")
    assert (group.first_seen, group.last_seen) == (NOON, NOON + timedelta(seconds=60))
    assert {rejection.group_id for rejection in Rejection.objects.all()} == {group.pk}


def test_minutes_are_counted_by_build_with_the_moment_of_the_first(source: Source) -> None:
    for seconds, agent in ((40, "svc/2"), (10, "svc/2"), (5, "svc/1"), (20, "svc/2")):
        refuse(NO_NAME, source, seconds, HTTP_USER_AGENT=agent)
    found = RejectionCount.objects.values_list("build__user_agent", "start", "count", "first_seen", "minutes")
    noon, minute = NOON.replace(second=0), timedelta(minutes=1)
    assert sorted(found) == [
        ("svc/1", noon, 1, NOON + timedelta(seconds=5), 1),
        ("svc/2", noon, 2, NOON + timedelta(seconds=10), 1),
        ("svc/2", noon + minute, 1, NOON + timedelta(seconds=40), 1),
    ]


def test_headers_are_kept_within_their_bounds(source: Source) -> None:
    refuse(NO_NAME, source, HTTP_USER_AGENT="a" * 300, CONTENT_TYPE="application/json;" + "x" * 200)
    rejection = Rejection.objects.get()
    assert (rejection.user_agent, len(rejection.content_type or "")) == ("a" * 256, 128)
    assert Build.objects.get().user_agent == "a" * 256


def test_what_came_without_a_request_or_header_says_so(source: Source) -> None:
    refuse(NO_NAME, source)
    refuse(NO_NAME, source, CONTENT_TYPE="application/json")
    assert sorted(Build.objects.values_list("user_agent", flat=True)) == sorted([builds.UNKNOWN, builds.NONE])
    assert list(Rejection.objects.order_by("pk").values_list("user_agent", flat=True)) == [None, ""]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("JSON is malformed: invalid character (byte 7)", "JSON is malformed: invalid character (byte 1234)"),
        ("This key may not send for the tag site:a.example", "This key may not send for the tag x\ny"),
        ('Object has the unknown field "a"', 'Object has the unknown field "bcd"'),
    ],
)
def test_what_varies_makes_no_other_group(source: Source, one: str, other: str) -> None:
    refuse(told(one), source)
    refuse(told(other), source)
    assert RejectionGroup.objects.get().count == 2


def test_bounds_that_senders_are_told_stay_in_the_message() -> None:
    assert groups.message("event_id: at most 255 characters") == "event_id: at most 255 characters"


def test_causes_and_keys_are_apart(source: Source) -> None:
    other_key, _ = factories.key()
    refuse(NO_NAME, source)
    refuse(NO_NAME, factories.source(other_key, received_at=NOON))
    refuse(contract.invalid_event({"event_name": ["must not be blank"]}), source)
    refuse(Refusal(Code.INVALID_JSON, NO_NAME.detail), source)
    assert [group.count for group in RejectionGroup.objects.all()] == [1, 1, 1, 1]


def test_path_folds_indexes_and_names_the_first_fields() -> None:
    assert groups.path({"params.items[3].price": [], "params.items[14].price": []}) == "params.items[].price"
    assert groups.path(dict.fromkeys("fbdace", ())) == "a, b, c, d and 2 more"
    assert groups.path({}) == ""
    assert len(groups.path({"x" * 300: []})) == 255


def test_hostile_sender_begins_no_more_than_its_share_of_groups(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "MAX_NEW_A_DAY", 3)
    for number in range(5):
        refuse(told(f"message {number}"), source)
    expected = {("invalid_event", f"message {number}"): 1 for number in range(3)}
    assert counts() == expected | {("invalid_event", groups.OTHER): 2}
    refuse(told("message 1"), source)  # one that has begun goes on
    refuse(told("message 7"), source, 86_400)  # a day later there is room again
    assert counts() == expected | {
        ("invalid_event", "message 1"): 2,
        ("invalid_event", groups.OTHER): 2,
        ("invalid_event", "message 7"): 1,
    }


def test_hostile_sender_names_no_more_than_its_share_of_builds(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "MAX_NEW_A_DAY", 3)
    for number in range(5):
        refuse(NO_NAME, source, HTTP_USER_AGENT=f"svc/{number}")
    by_build = dict(RejectionCount.objects.values_list("build__user_agent", "count"))
    assert by_build == {"svc/0": 1, "svc/1": 1, "svc/2": 1, builds.OTHER: 2}


def test_those_beyond_the_bound_are_counted_though_not_kept(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejections, "KEPT_PER_KEY_AND_HOUR", 2)
    for _ in range(5):
        refuse(NO_NAME, source, HTTP_USER_AGENT="svc/1")
    assert (Rejection.objects.count(), RejectionGroup.objects.get().count) == (2, 5)
    assert RejectionCount.objects.get().count == 5


@pytest.mark.django_db(transaction=True)
def test_two_writers_of_the_same_groups_count_all() -> None:
    def write(numbers: list[int]) -> None:
        try:
            for _ in range(10):
                starts.wait(30)
                rejections.keep(
                    Record.of_refusal(told(f"message {number % 7}"), sources[number % 2], b"", "r")
                    for number in numbers
                )
        finally:
            connections.close_all()

    sources = [factories.source(factories.key()[0], received_at=NOON) for _ in range(2)]
    starts = Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, [list(range(40)), list(range(39, -1, -1))]))
    assert sum(RejectionGroup.objects.values_list("count", flat=True)) == 800
    assert sum(RejectionCount.objects.values_list("count", flat=True)) == 800
    assert RejectionGroup.objects.count() == 14


@pytest.mark.django_db
def test_refusals_and_conflicts_of_requests_tell_their_build(client: Client) -> None:
    _, raw_key = factories.issue()
    headers = {"authorization": f"Bearer {raw_key}", "user-agent": "orders-svc/2.14"}
    for event in (factories.SEED_EVENT, {**factories.SEED_EVENT, "page_url": "/other"}, {"event_name": 7}):
        client.post("/api/collect", event, content_type="application/json", headers=headers)
        client.post("/api/collect/batch", [event], content_type="application/json", headers=headers)
    found = Rejection.objects.values_list("code", "group__path", "user_agent", "content_type")
    assert sorted(found) == [
        *[("conflict", "page_url", "orders-svc/2.14", "application/json")] * 2,
        *[("invalid_event", "event_name", "orders-svc/2.14", "application/json")] * 2,
    ]
