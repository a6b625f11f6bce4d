"""`manage.py reconcile` from the file to the exit status, on both databases."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from django.core.management import CommandError

from collect.models import Event
from keys.models import ApiKey
from tests.harness import factories
from tests.reporting.reconciling.running import DAY, csv_file, lines_of, reconcile

pytestmark = pytest.mark.django_db


def test_list_that_agrees_ends_with_0(stored: Callable[..., None], tmp_path: Path) -> None:
    stored(58, event_id="a")
    stored(7.5, event_id="b")
    listed = csv_file(tmp_path / "list.csv", "Event ID;Amount;Currency", "a;58.00;EUR", "b;7.5;eur")
    status, said = reconcile(listed, "--partner", "Acme")
    assert status == 0
    assert {"agrees 2 stored, with the same amount", "lines_of_the_file 2 the sum of the classes"} <= {*lines_of(said)}


def test_every_difference_is_told_with_both_sides(stored: Callable[..., None], tmp_path: Path) -> None:
    for id, value in (("a", 58), ("b", 57.5), ("extra", 9)):
        stored(value, event_id=id)
    stored(58, event_id="a", tag_id="second")
    stored(None)
    listed = csv_file(
        tmp_path / "list.csv",
        "event_id,amount,currency,time",
        "a,58,EUR,",
        "b,58,EUR,",
        "c,1.50,EUR,2026-11-20",
        "a,58.00,EUR,",
        'd,"58,00",EUR,',
    )
    status, said = reconcile(listed, "--partner", "Acme")
    assert status == 3
    assert {
        "agrees 1 stored, with the same amount",
        "different 1 stored, with another amount or currency",
        "missing 1 not stored",
        "doubled_equal 1 repeats a line before it, and says the same",
        "unreadable 1 cannot be compared; its cause is told",
        "lines_of_the_file 5 the sum of the classes",
        "in_file 2 3",
        "only_here 1 1",
        "without_id - 1",
        "stored 3 5",
        "4 c order_created 1.50 EUR 2026-11-20 00:00:00",
        "5 a equal 58.00 EUR 58.00 EUR",
        "6 amount '58,00' cannot be read: its comma seems to be a decimal comma; write 58.00",
    } <= {*lines_of(said)}
    ids = {event.event_id: event.pk for event in Event.objects.order_by("-received_at", "-id")}
    assert f"3 b 58.00 EUR 57.50 EUR amount {ids['b']}" in lines_of(said)
    assert f"a order_created 2 1 1 58.00 EUR {ids['a']}" in lines_of(said)
    assert f"extra order_created 9.00 EUR 2026-11-20 00:00:00 {ids['extra']}" in lines_of(said)


def test_amounts_are_added_up_by_class_and_currency_and_doubled_ones_are_not(
    stored: Callable[..., None], tmp_path: Path
) -> None:
    stored(58, event_id="a")
    stored(10, event_id="b")
    stored(2, event_id="extra")
    rows = ["a,58,EUR", "a,58,EUR", "b,20,USD", "c,1.50,EUR", "d,2.50,EUR", "e,1,JPY", "e,2,JPY"]
    listed = csv_file(tmp_path / "list.csv", "event_id,amount,currency", *rows)
    said = lines_of(reconcile(listed, "--partner", "Acme")[1])
    start = said.index("Amounts of each class")
    assert said[start + 3 : start + 8] == [
        "agrees EUR 58.00 58.00",
        "different EUR 0.00 10.00",
        "different USD 20.00 0.00",
        "missing EUR 4.00 0.00",
        "only_here EUR 0.00 2.00",
    ]


def test_order_that_counts_twice_is_told_and_one_that_counts_once_is_as_it_should_be(
    stored: Callable[..., None], tmp_path: Path
) -> None:
    stored(58, event_id="a", params={"order_id": "O"})
    stored(58, event_id="a", params={"order_id": "O"}, tag_id="second")
    listed = csv_file(tmp_path / "list.csv", "order_id,amount,currency", "O,58,EUR")
    status, said = reconcile(listed, "--partner", "Acme")
    assert status == 0
    assert "Stored more than once, and counted once: the first received" in lines_of(said)
    stored(58, event_id="b", params={"order_id": "O"})
    status, said = reconcile(listed, "--partner", "Acme")
    assert status == 3
    assert "counted once" not in said
    assert "Stored more than once, and counted more than once" in lines_of(said)
    assert any(line.startswith("O order_created 3 2 1 58.00 EUR ") for line in lines_of(said))


@pytest.mark.parametrize(
    "name", ["order_id", "orderId", "order_number", "orderNumber", "transaction_id", "transactionId"]
)
@pytest.mark.parametrize("number", ["1001", 1001])
def test_number_of_an_order_is_found_under_each_name(
    stored: Callable[..., None], tmp_path: Path, name: str, number: Any
) -> None:
    stored(58, params={name: number})
    none: Any
    for none in (None, True, ["1001"], {}, " "):
        stored(58, params={name: none})
    listed = csv_file(tmp_path / "list.csv", "Order-ID,amount", "1001,58.00")
    status, said = reconcile(listed, "--partner", "Acme", "--currency-code", "EUR")
    assert status == 3
    assert {"agrees 1 stored, with the same amount", "without_id - 5"} <= {*lines_of(said)}


def test_range_bounds_what_is_only_here_and_finds_lines_at_any_time(
    stored: Callable[..., None], tmp_path: Path
) -> None:
    stored(1, event_id="before", timestamp=DAY.timestamp() - 1)
    stored(1, event_id="in", timestamp=DAY.timestamp())
    for id in ("after", "at the end"):
        stored(1, event_id=id, timestamp=DAY.timestamp() + 86_400)
    listed = csv_file(tmp_path / "list.csv", "event_id", "after")
    options = ("--partner", "Acme", "--since", "2026-11-20", "--until", "2026-11-21")
    status, said = reconcile(listed, *options)
    assert status == 3
    assert {"agrees 1 stored", "only_here 1 1", "stored 2 2"} <= {*lines_of(said)}
    # In Berlin the day began an hour before.
    assert "only_here 2 2" in lines_of(reconcile(listed, *options, "--tz", "Europe/Berlin")[1])


def test_others_events_and_those_of_test_keys_are_not_compared(stored: Callable[..., None], tmp_path: Path) -> None:
    stored(1, event_id="a", of=factories.issue(is_test=True)[0])
    stored(1, event_id="a", of=factories.key()[0])
    stored(1, event_id="a", event_name="lead_created", tag_id="t")
    listed = csv_file(tmp_path / "list.csv", "event_id", "a")
    status, said = reconcile(listed, "--partner", "Acme")
    assert status == 3
    assert {"missing 1 not stored", "stored 0 0"} <= {*lines_of(said)}
    assert reconcile(listed, "--partner", "Acme", "--event-name", "lead_created")[0] == 0


def test_value_that_does_not_count_is_a_difference(stored: Callable[..., None], tmp_path: Path) -> None:
    stored(event_id="a", params={"value": 58})
    listed = csv_file(tmp_path / "list.csv", "event_id,amount,currency", "a,58,EUR")
    status, said = reconcile(listed, "--partner", "Acme")
    assert status == 3
    assert "the stored value does not count: no_currency" in said


@pytest.mark.parametrize("form", ["csv", "csv.gz", "utf-16", "ndjson", "ndjson.gz", "json", "parquet"])
def test_every_format_is_read(stored: Callable[..., None], tmp_path: Path, form: str) -> None:
    stored(58.1, event_id="a")
    row = {"event_id": "a", "amount": "58.10", "currency": "EUR"}
    text = "event_id,amount,currency\na,58.10,EUR\n"
    path = tmp_path / f"list.{form}"
    match form:
        case "parquet":
            table = pyarrow.Table.from_pylist([{**row, "amount": 58.1}])
            pyarrow.parquet.write_table(table, path)
        case "csv" | "csv.gz":
            path.write_bytes(gzip.compress(text.encode()) if form.endswith("gz") else text.encode())
        case "utf-16":
            path = path.with_suffix(".csv")
            path.write_text(text, "utf-16")
        case "json":
            path.write_text(json.dumps([row], indent=1))
        case _:
            body = json.dumps(row).encode() + b"\n"
            path.write_bytes(gzip.compress(body) if form.endswith("gz") else body)
    assert reconcile(path, "--partner", "Acme")[0] == 0


def test_few_rows_are_shown_and_the_rest_is_counted(key: ApiKey, tmp_path: Path) -> None:
    listed = csv_file(tmp_path / "list.csv", "event_id", *(f"e{n}" for n in range(50)))
    said = reconcile(listed, "--partner", "Acme", "--rows", 2)[1]
    assert "missing 50 not stored" in lines_of(said)
    assert "e1" in said
    assert "e2 " not in said
    assert "48 more are not shown; --out FILE has all, and --rows shows more." in said


def test_what_partners_write_moves_no_cursor(key: ApiKey, tmp_path: Path) -> None:
    listed = csv_file(tmp_path / "list.csv", "event_id", "\x1b[2Ja")
    assert "\x1b" not in reconcile(listed, "--partner", "Acme")[1]


@pytest.mark.parametrize(
    ("options", "said", "status"),
    [
        (["--partner", "Acne"], "Acne", 1),
        (["--tz", "Berlin/Mitte"], "time zone: 'Berlin/Mitte' is none", 2),
        (["--since", "20.11."], "--since: '20.11.' is no date", 2),
        (["--since", "2026-11-20", "--until", "2026-11-20"], "is not before --until", 2),
        (["--id", "nr"], "--id: there is no column 'nr': there are event_id, amount", 2),
        (["--amount", "total"], "--amount: no line has anything in a column 'total'", 2),
        (["--out", "all.xlsx"], "its name ends in .csv, .ndjson, .jsonl", 2),
        (["--currency-code", "EURO"], "currency 'EURO' is none of ISO 4217", 1),
        (["--tolerance", "-1"], "'-1' is no whole number", 1),
        (["--format", "parquet"], "list.csv", 1),
    ],
)
def test_what_cannot_be_compared_is_an_error(
    key: ApiKey, tmp_path: Path, options: list[str], said: str, status: int
) -> None:
    listed = csv_file(tmp_path / "list.csv", "event_id,amount", "a,1")
    with pytest.raises(CommandError) as error:
        reconcile(listed, "--partner", "Acme", "--currency-code", "EUR", *options)
    assert said in str(error.value)
    assert error.value.returncode == status


def test_file_that_is_not_there_and_files_that_are_one_are_errors(key: ApiKey, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.csv: No such file"):
        reconcile(tmp_path / "none.csv", "--partner", "Acme")
    listed = csv_file(tmp_path / "list.csv", "event_id", "a")
    with pytest.raises(CommandError, match="have to be different files"):
        reconcile(listed, "--partner", "Acme", "--resend", listed)
    assert listed.read_text() == "event_id\na\n"
    with pytest.raises(CommandError, match="--resend: name a file"):
        reconcile(listed, "--partner", "Acme", "--resend", "-")


def test_file_that_is_cut_off_leaves_no_file_behind(key: ApiKey, tmp_path: Path) -> None:
    path, again = tmp_path / "list.csv.gz", tmp_path / "again.ndjson"
    path.write_bytes(gzip.compress(b"event_id\n" + b"".join(b"e%d\n" % n for n in range(10_000)))[:-2000])
    with pytest.raises(CommandError, match="cut off or damaged"):
        reconcile(path, "--partner", "Acme", "--resend", again)
    assert sorted(tmp_path.iterdir()) == [path]
