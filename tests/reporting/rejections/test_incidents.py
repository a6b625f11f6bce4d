"""Since when events are refused, and which build of the sender it is, in twenty generated incidents and more."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from collect.intake import contract
from collect.models import RejectionGroup
from collect.storage import rejections
from collect.storage.grouping import builds
from collect.storage.rejections import Record
from keys.models import ApiKey
from reporting.rejections import groups
from tests.harness import factories
from tests.reporting.rejections import made
from tests.reporting.rejections.made import Made

REFUSAL = contract.invalid_event({"timestamp": ["must be a number of Unix seconds"]})


def receive(keys: Sequence[ApiKey], incident: Made) -> None:
    """Let the server see the requests, good ones too, in the order in which they came."""
    records = []
    for sent in incident.requests:
        meta = {"HTTP_USER_AGENT": sent.build}
        builds.count(keys[sent.key].pk, meta, sent.at)
        if sent.is_refused:
            source = factories.source(keys[sent.key], received_at=sent.at, meta=meta)
            records.append(Record.of_refusal(REFUSAL, source, b"{}", "request-1"))
    builds.write()
    for start in range(0, len(records), 500):
        rejections.keep(records[start : start + 500])


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("shape", made.SHAPES)
def test_minute_of_onset_and_culprit_are_named_right(shape: made.Shape, seed: int) -> None:
    keys = [factories.key()[0] for _ in range(2)]
    truth = shape(seed)
    receive(keys, truth)
    found = groups.incident_of(RejectionGroup.objects.get(api_key=keys[0]))
    assert found is not None
    assert {one.build for one in found.culprits} == truth.culprits
    assert truth.spared <= set(found.spared)
    assert minute(found.onset) == minute(truth.onset)


def minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
