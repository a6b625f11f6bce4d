"""A partner that is not there is made by nobody's slip of the pen."""

import pytest
from django.core.management import CommandError, call_command

from collect.backfills.run import BackfillError
from collect.models import Event
from keys.models import Partner
from tests.collect.backfills.importing.loading import SEED, Loader, exported, lines
from tests.harness import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def known() -> None:
    for name in ("Acme GmbH", "acne studios", "zebra"):
        factories.partner(name)


@pytest.mark.parametrize(
    ("partner", "words"),
    [
        ("acme gmbh", "no partner 'acme gmbh'. Did you mean 'Acme GmbH'"),
        ("Acme Gmbh.", "Did you mean 'Acme GmbH'"),
        ("zebar", "Did you mean 'zebra'?"),
        ("quite another", "the console's page Partners lists them. --create-partner makes a new one"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_partner_that_is_not_there_is_refused_with_the_nearest(
    load: Loader, partner: str, words: str, dry_run: bool
) -> None:
    with pytest.raises(BackfillError) as refused:
        load(lines(SEED), partner=partner, create_partner=False, dry_run=dry_run)
    assert words in str(refused.value)
    assert Partner.objects.count() == 3


def test_partner_is_made_where_that_is_said(load: Loader) -> None:
    assert load(lines(SEED), partner="new", create_partner=True, dry_run=True) == {"stored": 1}
    assert load(lines(SEED), partner="new", create_partner=True) == {"stored": 1}
    assert load(None, partner="new", create_partner=False) == {"stored before": 1}
    assert Event.objects.get().partner.name == "new"


@pytest.mark.parametrize("name", ["ACME GMBH", "acme  gmbh", "\uff21cme GmbH", "ZEBRA"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_name_differs_by_more_than_case(load: Loader, name: str, dry_run: bool) -> None:
    with pytest.raises(BackfillError, match="names must differ by more than case"):
        load(lines(SEED), partner=name, dry_run=dry_run)
    assert load(lines(exported(partner=name)), partner=None, dry_run=dry_run) == {"refused: invalid_event": 1}
    with pytest.raises(CommandError, match="names must differ by more than case"):
        call_command("issue_key", "--partner", name, "--label", "x")
    assert Partner.objects.count() == 3


def test_names_that_were_there_before_stay(load: Loader) -> None:
    factories.partner("ZEBRA")
    assert load(lines(SEED), partner="zebra", create_partner=False) == {"stored": 1}
    assert load(lines(SEED), partner="ZEBRA", create_partner=False) == {"stored": 1}
    Partner.objects.get(name="ZEBRA").full_clean()


def test_other_commands_name_the_nearest_too() -> None:
    with pytest.raises(CommandError, match=r"no partner 'zebar'\. Did you mean 'zebra'"):
        call_command("export_events", "--partner", "zebar", "--out", "-")
