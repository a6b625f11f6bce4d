"""`manage.py rejections`: the table, what it is filtered by, and the message for a sender."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from collect.intake import contract
from collect.models import RejectionGroup
from collect.storage import rejections
from collect.storage.rejections import Record
from keys.models import ApiKey
from runtime.refusals import Code, Refusal
from tests.harness import factories

pytestmark = pytest.mark.django_db

NO_NAME = contract.invalid_event({"event_name": ["required"]})


def refuse(key: ApiKey, refusal: Refusal = NO_NAME, body: bytes = b"{}", **ago: int) -> None:
    source = factories.source(key, received_at=datetime.now(UTC) - timedelta(**ago), meta={"HTTP_USER_AGENT": "svc/2"})
    rejections.keep([Record.of_refusal(refusal, source, body, "request-7")])


def printed(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("rejections", *arguments, stdout=out, **options)
    return out.getvalue()


def test_table_has_a_line_for_each_cause_and_no_control_characters() -> None:
    key, _ = factories.issue(partner=factories.partner("Ac\u202eme"))
    for minutes in (3, 4):
        refuse(key, Refusal(Code.INVALID_JSON, "no \x1b[31m"), minutes=minutes)
    refuse(key, minutes=2)
    heading, names, first, second = printed("--range", "1h").splitlines()
    assert heading.endswith("2 causes")
    assert names.split()[:4] == ["group", "count", "share", "state"]
    assert "invalid_json: no \\x1b[31m" in first
    assert "Ac\\u202eme" in first
    assert first.split()[1:4] == ["2", "-", "open"]
    assert second.endswith("invalid_event: event_name: required")


def test_arguments_filter_the_table() -> None:
    key, other = factories.issue()[0], factories.key(factories.partner("Globex"))[0]
    refuse(key, Refusal(Code.INVALID_JSON, "no"), minutes=2)
    refuse(other, days=2)
    for arguments, codes in {
        (): ["invalid_json"],
        ("--range", "7d"): ["invalid_event", "invalid_json"],
        ("--range", "7d", "--partner", "Globex"): ["invalid_event"],
        ("--range", "7d", "--key", key.prefix): ["invalid_json"],
        ("--range", "7d", "--code", "invalid_event"): ["invalid_event"],
        ("--range", "7d", "--state", "resolved"): [],
        ("--from", f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%dT%H:%M}Z"): ["invalid_event", "invalid_json"],
    }.items():
        found = json.loads(printed(*arguments, "--json"))["groups"]
        assert sorted(one["code"] for one in found) == codes, arguments
    assert "nothing was refused" in printed("--state", "regressed")


def test_group_is_told_as_its_sender_is_to_be_told() -> None:
    key, _ = factories.issue()
    refuse(key, body=b'{"email": "anna@example.org"}', minutes=2)
    group = RejectionGroup.objects.get()
    told = printed("--group", str(group.pk), "--url", "https://events.example/")
    assert "curl -i https://events.example/api/collect/validate" in told
    assert '"email": "xxxx@xxxxxxx.xxx"' in told
    assert "all 1 from svc/2" in told
    assert json.loads(printed("--group", str(group.pk), "--json"))["example"]["body"].count("anna") == 1


@pytest.mark.parametrize(
    "arguments", [("--range", "1y"), ("--partner", "nobody"), ("--group", "7"), ("--until", "yesterday")]
)
def test_what_is_none_is_told_so(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        printed(*arguments)
