"""Both events of a conflict, side by side: what differs is marked, to the last digit, and nothing else."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from collect.models import Event, Rejection
from collect.storage import ingest
from collect.storage.outcomes import Outcome
from reporting.rejections import conflicts
from reporting.rejections.conflicts import Conflict
from tests.harness import factories

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 26, 12, 0, 30, tzinfo=UTC)


def conflict(first: dict[str, Any], second: dict[str, Any]) -> Conflict:
    """Send both under one event_id, two seconds and a half apart, each with a key of its own."""
    owner = factories.partner()
    keys = [factories.key(owner, label=label)[0] for label in ("one", "two")]
    sources = [
        factories.source(key, received_at=NOON + timedelta(seconds=2.5 * number)) for number, key in enumerate(keys)
    ]
    for source, event in zip(sources, (first, second), strict=True):
        (written,) = ingest.write([factories.arrival(source, event_id="e", tag_id="t", **event)])
        if written.outcome is Outcome.CONFLICT:
            ingest._settle([factories.arrival(source, event_id="e", tag_id="t", **event)], [written])
    found = conflicts.conflict_of(Rejection.objects.get())
    assert found is not None
    assert (found.stored_key, found.sent_key, found.gap) == (*keys, timedelta(seconds=2.5))
    return found


def differing(found: Conflict) -> list[tuple[str, str, str]]:
    return [(leaf.path, leaf.stored, leaf.sent) for leaf in found.leaves if leaf.differs]


def test_leaves_that_differ_are_marked_and_the_others_are_not() -> None:
    first = {"params": {"value": 1.0, "items": [{"sku": "a", "n": 1}, {"sku": "b"}]}, "page_url": "/a"}
    second = {"params": {"items": [{"n": 2, "sku": "a"}], "value": 1.00}, "page_url": "/a", "plan": "gold"}
    found = conflict(first, second)
    assert differing(found) == [
        ("params.items[0].n", "1", "2"),
        ("params.items[1].sku", '"b"', conflicts.ABSENT),
        ("plan", conflicts.ABSENT, '"gold"'),
    ]
    same = {leaf.path: leaf.stored for leaf in found.leaves if not leaf.differs}
    assert {"event_id", "tag_id", "page_url", "params.value", "params.items[0].sku"} <= same.keys()


def test_numbers_are_compared_to_the_last_digit_and_true_is_not_1() -> None:
    found = conflict({"params": {"n": 10**20, "t": True}}, {"params": {"n": 10**20 + 1, "t": 1}})
    assert differing(found) == [
        ("params.n", "100000000000000000000", "100000000000000000001"),
        ("params.t", "true", "1"),
    ]


def test_timestamp_is_one_moment_in_seconds_and_milliseconds() -> None:
    found = conflict({"timestamp": 1748275200, "referrer": "a"}, {"timestamp": 1748275200000, "referrer": "b"})
    assert differing(found) == [("referrer", '"a"', '"b"')]


def test_very_many_leaves_begin_with_those_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "MAX_LEAVES", 3)
    many = {f"p{n}": n for n in range(20)}
    found = conflict({"params": many}, {"params": many | {"p18": "x" * 3_000}})
    assert (found.leaves[0].path, len(found.leaves), found.hidden > 10) == ("params.p18", 3, True)
    assert found.leaves[0].sent.endswith("… (3002 characters)")


def test_long_names_are_cut_and_stay_apart() -> None:
    name = "n" * 5_000
    found = conflict({"params": {name + "a": [0, 1], "b": {name: 1}}}, {"params": {name + "b": 1, "b": {name: 2}}})
    assert max(len(leaf.path) for leaf in found.leaves) <= conflicts.MAX_PATH + 1
    cut = f"{'n' * conflicts.MAX_NAME}… (500%d characters)"
    assert sorted(differing(found)) == sorted(
        [
            (f"params.{cut % 1}[0]", "0", conflicts.ABSENT),
            (f"params.{cut % 1}[1]", "1", conflicts.ABSENT),
            (f"params.{cut % 1}", conflicts.ABSENT, "1"),
            (f"params.b.{cut % 0}", "1", "2"),
        ]
    )


def test_paths_of_leaves_that_are_not_shown_take_no_memory() -> None:
    conflict({"params": {"n" * 50_000: [0] * 5_000}}, {"referrer": "a"})
    tracemalloc.start()
    try:
        conflicts.conflict_of(Rejection.objects.get())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # In full they are 250 MB.
    assert peak < 16 * 1024 * 1024


def test_path_of_many_names_has_its_beginning_and_its_end() -> None:
    deep: Any = {"last": 1}
    for _ in range(40):
        deep = {"middle": deep}
    (path,) = (leaf.path for leaf in conflict({"params": deep}, {"referrer": "a"}).leaves if "last" in leaf.path)
    assert (path[:14], path[-12:], len(path)) == ("params.middle.", ".middle.last", conflicts.MAX_PATH + 1)


def test_no_more_leaves_than_the_bound_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "MAX_COMPARED", 50)
    found = conflict({"params": {"a": [0] * 1_000}}, {"params": {"a": 1}})
    assert found.is_part
    assert len(found.leaves) + found.hidden == 50


def test_objects_lists_and_values_at_one_path_are_all_told() -> None:
    found = conflict({"params": {"a": [1], "b": {}, "c": None}}, {"params": {"a": {"x": 1}, "b": [], "c": "d"}})
    nothing = conflicts.ABSENT
    assert differing(found) == [
        ("params.a[0]", "1", nothing),
        ("params.a.x", nothing, "1"),
        ("params.b", "{}", "[]"),
        ("params.c", "null", '"d"'),
    ]


def test_event_that_is_gone_leaves_nothing_to_compare() -> None:
    conflict({"referrer": "a"}, {"referrer": "b"})
    Event.objects.all().delete()
    assert conflicts.conflict_of(Rejection.objects.get()) is None


def test_page_of_a_conflict_shows_both(admin_client: Client) -> None:
    found = conflict({"params": {"note": "<b>first"}}, {"params": {"note": "<b>second"}})
    rejection = Rejection.objects.get()
    page = admin_client.get(f"/admin/collect/rejection/{rejection.pk}/change/").content.decode()
    for text in ("&lt;b&gt;first", "&lt;b&gt;second", "0:00:02.500000 after the first", found.sent_key.prefix):
        assert text in page
    assert f'href="/admin/rejections/{rejection.group_id}/"' in page
    assert "<b>first" not in page


def test_list_of_single_rejections_is_filtered_by_group_and_key(admin_client: Client) -> None:
    conflict({"referrer": "a"}, {"referrer": "b"})
    rejection = Rejection.objects.get()
    assert rejection.group_id
    address = "/admin/collect/rejection/"
    for query, is_there in {
        f"group={rejection.group_id}": True,
        f"group={rejection.group_id + 1}": True,  # one that is not there filters nothing
        f"api_key={rejection.api_key_id}": True,
        f"api_key={Event.objects.get().api_key_id}": False,
    }.items():
        page = admin_client.get(f"{address}?{query}", follow=True).content.decode()
        assert (f"{address}{rejection.pk}/change/" in page) is is_there, query
