import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest
from django.core.management import CommandError

from keys.models import ApiKey
from reporting.reports.registry import REPORTS
from tests.harness import commands, factories
from tests.harness.databases import current_url
from tests.harness.server import ROOT
from tests.reporting.reports.stored import NOON, write

RANGE = ("--since", "2026-11-26", "--until", "2026-11-27")


@pytest.fixture
def key(db: None) -> ApiKey:
    """A key of Acme, with an event of noon."""
    key = factories.issue()[0]
    write(key, event_name="order_created", params={"value": 5, "note": "=1\u202e"})
    return key


def test_reports_are_listed_with_their_sentences() -> None:
    out, _ = commands.run("report")
    for name, report in REPORTS.items():
        assert f"{name} " in out
        assert report.sentence in out


@pytest.mark.usefixtures("key")
def test_report_is_printed_and_no_colour_is_in_it() -> None:
    out, err = commands.run("report", "params", "order_created", *RANGE, "--tz", "Europe/Berlin")
    assert out.startswith(
        "Params of order_created\n  events from   2026-11-26 00:00\n  until before  2026-11-27 00:00\n"
    )
    assert '"=1\\u202e"' in out
    assert "\x1b" not in out + err
    assert err == ""


@pytest.mark.usefixtures("key")
def test_csv_is_one_table_and_says_which_others_there_are() -> None:
    out, err = commands.run("report", "params", "order_created", *RANGE, "--format", "csv", "--table", "types")
    assert out == "path,type,values\r\nnote,string,1\r\nvalue,number,1\r\n"
    assert err == "The table types alone; --table has others: paths\n"


@pytest.mark.usefixtures("key")
def test_json_is_of_the_partner_and_the_time_zone() -> None:
    factories.partner("Beta")
    for partner, events in (("Acme", "1 events of this name"), ("Beta", "0 events of this name")):
        out, _ = commands.run(
            "report", "params", "order_created", *RANGE, "--partner", partner, "--tz", "Asia/Tokyo", "--format", "json"
        )
        stated = json.loads(out)["stated"]
        assert (stated["partner"], stated["time zone"], stated["share of"]) == (partner, "Asia/Tokyo", events)


@pytest.mark.usefixtures("key")
def test_file_has_the_answer_and_the_command_that_asks_again(tmp_path: Path) -> None:
    out = tmp_path / "params.html"
    assert commands.run("report", "params", "order_created", *RANGE, "--format", "html", "--out", str(out)) == ("", "")
    page = out.read_text()
    again = (
        "manage.py report params order_created --since 2026-11-26T00:00+00:00 --until 2026-11-27T00:00+00:00 --tz UTC "
        "--format html"
    )
    assert f"<code>{again}</code>" in page
    first = page.replace("Made", "").split("<footer>")[0]
    assert commands.run(*again.split()[1:])[0].split("<footer>")[0] == first


@pytest.mark.usefixtures("key")
def test_parquet_goes_to_a_file(tmp_path: Path) -> None:
    out = tmp_path / "quality.parquet"
    commands.run("report", "quality", *RANGE, "--format", "parquet", "--out", str(out))
    (row,) = pyarrow.parquet.read_table(out).to_pylist()
    assert (row["event_name"], row["events"], row["value_issues"]) == ("order_created", 1, 1)


@pytest.mark.django_db
def test_range_without_a_beginning_is_30_days() -> None:
    out, _ = commands.run("report", "late", "--until", "2026-11-26T14:30", "--tz", "Europe/Berlin")
    assert "events from   2026-10-27 14:30\n  until before  2026-11-26 14:30\n" in out


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["late", "--since", "soon"], "^--since: 'soon' is no date"),
        (["late", "--until", "soon"], "^--until: 'soon' is no date"),
        (["late", "--since", "2026-11-27", "--until", "2026-11-27"], "^--since: 2026-11-27 00:00 is not before"),
        (["late", "--tz", "Mars"], "^--tz: 'Mars' is none"),
        (["late", "--partner", "No\x1b"], r"^--partner: There is no partner 'No\\x1b'"),
        (["late", "--format", "csv", "--table", "x"], "^--table: late has no table 'x'; it has late, partners"),
        (["late", "--sinse", "2026"], "--sinse is not known here: did you mean --since"),
        (["late", "--window=3"], "--window is not known here"),
        (["late", "more"], "more is not known here"),
        (["params"], "required: EVENT"),
        (["params", "a\x00b"], "has the character U\\+0000"),
        (["params", "a\udcff"], "is not UTF-8"),
        (["late", "--partner", "a\udcff"], "is not UTF-8"),
        (["lates"], "invalid choice: 'lates'"),
        (["late", "--out", "/nowhere/late.txt"], "/nowhere/late.txt: No such file"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        commands.run("report", *arguments)


@pytest.mark.django_db
def test_wrong_options_have_an_exit_status_of_their_own() -> None:
    for arguments in (["late", "--since", "soon"], ["late", "--none"]):
        ended = commands.manage("report", *arguments, DATABASE_URL=current_url())
        assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr


def test_help_of_a_report_says_what_it_takes() -> None:
    said = commands.manage("report", "params", "--help").stdout
    words = " ".join(said.split())
    for part in ("EVENT", "which is not included itself", "--tz ZONE", "coming midnight", "parquet"):
        assert part in words, part


def on_terminal(*arguments: str, columns: int) -> tuple[int, str]:
    """Run the command on a terminal of this width; return its status and what stood there."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"DATABASE_URL": current_url(), "COLUMNS": str(columns), "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "manage.py", "report", *arguments], cwd=ROOT, env=environment, stdout=theirs, stderr=theirs
    ) as running:
        os.close(theirs)
        shown = io.BytesIO()
        try:
            while part := os.read(ours, 4096):
                shown.write(part)
        except OSError:  # Linux says so that the other side is closed
            pass
        os.close(ours)
        running.wait(60)
    return running.returncode, shown.getvalue().decode()


@pytest.mark.django_db(transaction=True)
def test_terminal_has_its_width_and_colours_and_no_parquet() -> None:
    write(factories.issue()[0], received_at=NOON, event_name="order_created")
    status, shown = on_terminal("quality", *RANGE, "--no-color", columns=60)
    assert status == 0
    assert max(map(len, shown.splitlines())) <= 60
    assert "\x1b" not in shown
    assert "\x1b[" in on_terminal("quality", *RANGE, columns=60)[1]
    status, shown = on_terminal("quality", *RANGE, "--format", "parquet", columns=200)
    assert status == 2
    assert "--format: a terminal cannot show parquet; name a file with --out" in shown
