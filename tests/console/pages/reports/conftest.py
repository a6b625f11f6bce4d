"""Events that the pages of reports are about."""

import pytest

from keys.models import ApiKey
from tests.harness import factories
from tests.reporting.reports.stored import write


@pytest.fixture
def key(db: None) -> ApiKey:
    """A key of Acme, with two events of noon, and one of eleven in the evening before."""
    key = factories.issue()[0]
    for age, value in ((1, 5), (2, 7.5), (13 * 3_600, 2)):
        params = {"value": value, "currency": "EUR"}
        write(key, age=age, event_name="order_created", client_id=str(age), params=params)
    return key
