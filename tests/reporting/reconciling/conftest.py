"""Events of Acme that are stored."""

from collections.abc import Callable
from typing import Any

import pytest

from collect.storage import store
from keys.models import ApiKey
from tests.harness import factories
from tests.reporting.reconciling.running import DAY


@pytest.fixture
def key() -> ApiKey:
    return factories.issue()[0]


@pytest.fixture
def stored(key: ApiKey) -> Callable[..., None]:
    """Store an event of Acme, with a value in EUR unless `value` is None."""

    def store_one(value: float | None = None, **fields: Any) -> None:
        of = fields.pop("of", key)
        params = fields.pop("params", {})
        if value is not None:
            params = {"value": value, "currency": "EUR", **params}
        fields = {"event_name": "order_created", "timestamp": DAY.timestamp(), "params": params, **fields}
        store.write([factories.arrival(factories.source(of), **fields)])

    return store_one
