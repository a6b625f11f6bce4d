"""A key whose events a funnel counts."""

import pytest

from keys.models import ApiKey
from tests.harness import factories


@pytest.fixture
def key() -> ApiKey:
    return factories.key(factories.partner("acme"))[0]
