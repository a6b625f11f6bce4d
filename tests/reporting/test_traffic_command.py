import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from collect.models import LedgerEntry
from collect.storage import ingest
from collect.storage.ledger import entries
from collect.storage.ledger.tally import shared as counts
from keys.models import ApiKey
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "spool"])


@pytest.fixture
def key() -> ApiKey:
    """A key whose partner sent three events ten minutes ago."""
    key = factories.key(factories.partner("Acme"))[0]
    source = factories.source(key, received_at=timezone.now() - timedelta(minutes=10))
    ingest.submit([factories.arrival(source, n=n) for n in range(3)])
    entries.add(entries.total(counts.take()))
    return key


def test_numbers_are_printed_and_agree(key: ApiKey, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("traffic", "--range", "1h")
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert {"3 received", "3 stored 100 %", "0 without an outcome"} <= {*said}
    assert said[-1] == "3 rows; + 3 stored at once: agree"


def test_scripts_get_json_of_one_partner(key: ApiKey, capsys: pytest.CaptureFixture[str]) -> None:
    factories.partner("Other")
    for partner, events in (("Acme", 3), ("Other", 0)):
        call_command("traffic", "--range", "1h", "--partner", partner, "--json")
        found = json.loads(capsys.readouterr().out)
        assert (found["received"], found["outcomes"]["stored"], found["rows_difference"]) == (events, events, 0)


def test_difference_is_an_exit_status(key: ApiKey, capsys: pytest.CaptureFixture[str]) -> None:
    LedgerEntry.objects.filter(outcome="stored").update(events=2)
    with pytest.raises(SystemExit) as ended:
        call_command("traffic", "--range", "1h")
    assert ended.value.code == 2
    assert "difference +1" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "why"), [(["--partner", "No"], "No"), (["--from", "soon"], "soon")])
def test_what_is_not_there_is_named(key: ApiKey, options: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        call_command("traffic", *options)
