from datetime import timedelta

import pytest

from reporting.reports import registry
from reporting.reports.late import CLASSES
from tests.harness import factories
from tests.reporting.reports.stored import DAY, NOON, question, rows, write

pytestmark = pytest.mark.django_db
HOUR, DAY_SECONDS = 3_600, 86_400
# So many seconds after it happened an event was received, and its class: both sides of every bound.
AGES = [
    (None, "no time sent"),
    (-HOUR, "before its time"),
    (-60.001, "before its time"),
    (-60, "within a minute"),
    (0.001, "within a minute"),
    (60, "within a minute"),
    (60.001, "within an hour"),
    (HOUR, "within an hour"),
    (HOUR + 0.001, "within a day"),
    (DAY_SECONDS, "within a day"),
    (DAY_SECONDS + 0.001, "within a week"),
    (7 * DAY_SECONDS, "within a week"),
    (7 * DAY_SECONDS + 0.001, "later"),
    (90 * DAY_SECONDS, "later"),
]


def test_events_are_of_the_class_of_their_age() -> None:
    key = factories.issue()[0]
    for age, _ in AGES:
        write(key, received_at=NOON + timedelta(seconds=age or 0), age=age)
    expected = {name: [age for age, of in AGES if of == name] for name, _ in CLASSES}
    longest = {"no time sent": 0, "before its time": HOUR, "within a minute": 60, "within an hour": HOUR}
    longest |= {"within a day": DAY_SECONDS, "within a week": 7 * DAY_SECONDS, "later": 90 * DAY_SECONDS}
    assert rows(registry.ask("late", question()), "late") == [
        (name, len(ages), len(ages) / len(AGES), longest[name]) for name, ages in expected.items()
    ]


def test_partners_have_their_own_shares_and_tests_do_not_count() -> None:
    acme, beta = factories.issue()[0], factories.key(factories.partner("Beta"))[0]
    for age in (1, 1, 7_200):
        write(acme, age=age)
    write(beta, age=-600)
    write(factories.issue(is_test=True)[0], age=1)
    found = registry.ask("late", question())
    assert [row for row in rows(found, "partners") if row[2]] == [
        ("Acme", "within a minute", 2, 2 / 3, 1),
        ("Acme", "within a day", 1, 1 / 3, 7_200),
        ("Beta", "before its time", 1, 1.0, 600),
    ]
    assert [row[:2] for row in rows(found, "late") if row[1]] == [
        ("before its time", 1), ("within a minute", 2), ("within a day", 1),
    ]  # fmt: skip
    of_beta = registry.ask("late", question(partner=beta.partner))
    assert {row[0] for row in rows(of_beta, "partners")} == {"Beta"}
    assert sum(row[1] for row in rows(of_beta, "late")) == 1


def test_events_of_another_time_are_lines_of_their_own() -> None:
    acme, beta = factories.issue()[0], factories.key(factories.partner("Beta"))[0]
    write(acme, age=2 * DAY_SECONDS)
    write(acme, age=3 * DAY_SECONDS)
    write(acme, age=-DAY_SECONDS)
    write(beta, age=5 * DAY_SECONDS)
    write(acme, received_at=DAY.end, age=2 * DAY_SECONDS)
    found = registry.ask("late", question(partner=acme.partner))
    assert rows(found, "outside") == [("before the range", 2), ("after its end", 1)]
    assert rows(found, "late")[0] == ("no time sent", 0, None, None)
    assert rows(registry.ask("late", question()), "outside") == [("before the range", 3), ("after its end", 1)]
