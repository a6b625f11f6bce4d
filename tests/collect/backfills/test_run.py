"""What a run says: nothing that somebody sent acts on the terminal."""

from tests.collect.backfills.runs import NewRun, Told


def test_what_was_sent_is_spelled_out(new_run: NewRun, told: Told) -> None:
    run = new_run(is_terminal=True)
    run.counts["refused: \x1b[2J"] += 1
    run.changes["site:a → site:\u202eb\n\x07"] += 1
    run.tell("the partner \x1b]0;title\x07")
    run.summary("events")
    text = str(told).replace("\r\x1b[K", "")
    assert "\x1b" not in text
    assert "the partner \\x1b]0;title\\x07\n" in text
    assert "site:a → site:\\u202eb\\x0a\\x07\n" in text
