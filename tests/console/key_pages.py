"""What the tests of the pages of keys do on them."""

import re
from typing import Any

from django.db import connection
from django.test import Client

from keys.models import ApiKey
from tests.harness import factories
from tests.harness.values import some

LIST = "/admin/keys/apikey/"


ADD = f"{LIST}add/"


RAW_KEY = re.compile(r"thrad_(?:live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")


def change(key: ApiKey) -> str:
    return f"{LIST}{key.pk}/change/"


def issue(client: Client, **fields: Any) -> Any:
    """Send the form; what it leads to."""
    data = {"partner": factories.partner("Acme").pk, "label": "backend", "expires_at_0": "", "expires_at_1": ""}
    return client.post(ADD, {**data, **fields}, follow=True)


def raw_key_of(response: Any) -> str:
    return some(RAW_KEY.search(response.content.decode()))[0]


def text(response: Any) -> str:
    assert response.status_code == 200
    body: str = response.content.decode()
    return body


def database_contains(needle: str) -> list[str]:
    """The tables in which some column of some row shows this text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # from the catalogue
            if any(needle in str(value) for row in cursor.fetchall() for value in row):
                found.append(table)
    return found
