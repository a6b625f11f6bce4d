"""An operator who is logged in."""

import pytest
from django.contrib.auth.models import User
from django.test import Client


@pytest.fixture
def operator() -> User:
    return User.objects.create_superuser("operator", password="secret")


@pytest.fixture
def console(operator: User) -> Client:
    """A client that is logged in, so that there is a session."""
    client = Client()
    assert client.login(username="operator", password="secret")
    return client
