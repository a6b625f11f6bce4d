import json
from zoneinfo import ZoneInfo

from reporting.formats.presentation import Presentation, render
from tests.reporting.formats.answers import HOSTILE, answer, hostile

BERLIN = Presentation(zone=ZoneInfo("Europe/Berlin"))


def test_answer_is_read_back_whole() -> None:
    found = json.loads(render("json", answer(), BERLIN))
    assert {name: found[name] for name in ("report", "title", "stated", "notes")} == {
        "report": "made",
        "title": "Made up",
        "stated": {"time zone": "Europe/Berlin"},
        "notes": ["One event is left out."],
    }
    first, second = found["tables"]
    assert (first["name"], first["title"], first["notes"]) == ("partners", "By partner", ["Beta's sender was asleep."])
    assert first["columns"][2] == {"name": "value", "kind": "amount", "sentence": "What they are worth."}
    assert first["rows"] == [
        {
            "partner": "Acme",
            "events": 12345,
            "value": "1234567890123456789.0123",
            "currency": "EUR",
            "share": 1 / 3,
            "last_event": "2026-11-26T15:05:06.789000+01:00",
        },
        {
            "partner": "Beta",
            "events": 0,
            "value": "-7",
            "currency": "JPY",
            "share": 0.0,
            "last_event": "2026-07-01T02:00:00+02:00",
        },
        dict.fromkeys(("partner", "events", "value", "currency", "share", "last_event")),
    ]
    assert second["rows"] == [{"reason": "none"}]


def test_texts_are_the_same_and_no_terminal_obeys_them() -> None:
    content = render("json", hostile(), BERLIN).decode()
    found = json.loads(content)
    assert [row["text"] for row in found["tables"][0]["rows"]] == list(HOSTILE) == found["notes"]
    assert {character for character in content if not character.isprintable()} == {"\n"}


def test_letters_of_all_languages_stay_readable() -> None:
    assert "Größe 株式会社" in render("json", answer(title="Größe 株式会社"), BERLIN).decode()


def test_one_table_can_be_asked_for() -> None:
    found = json.loads(render("json", answer(), Presentation(table="reasons")))
    assert [table["name"] for table in found["tables"]] == ["reasons"]
