"""Partners in the console."""

import pytest
from django.test import Client

from keys.models import Partner
from tests.harness import factories

pytestmark = pytest.mark.django_db

ADD = "/admin/keys/partner/add/"


def test_new_partner_differs_by_more_than_case(console: Client) -> None:
    factories.partner("Acme")
    response = console.post(ADD, {"name": " aCME "})
    assert response.status_code == 200
    assert "names must differ by more than case" in response.content.decode()
    assert console.post(ADD, {"name": "Acme Two"}).status_code == 302
    assert set(Partner.objects.values_list("name", flat=True)) == {"Acme", "Acme Two"}
