"""Searches are posted, and a key that somebody pasted is found by its prefix; its secret goes no further."""

import re

import pytest
from django.test import Client

from keys.models import ApiKey
from tests.console.key_pages import LIST, text
from tests.harness import factories

pytestmark = pytest.mark.django_db

LISTS = (
    LIST,
    "/admin/keys/partner/",
    "/admin/keys/keychange/",
    "/admin/collect/event/",
    "/admin/collect/rejection/",
    "/admin/auth/user/",
    "/admin/auth/group/",
)


@pytest.mark.parametrize("page", LISTS)
def test_no_search_form_puts_what_is_typed_into_an_address(console: Client, page: str) -> None:
    form = re.findall(r"<form[^>]*changelist-search[^>]*>", text(console.get(page)))
    assert len(form) == 1
    assert 'method="post"' in form[0]
    assert "action=" not in form[0]


@pytest.mark.parametrize("page", LISTS)
def test_search_comes_back_as_an_address_that_keeps_the_filters(console: Client, page: str) -> None:
    answer = console.post(f"{page}?o=1&p=3&e=1", {"q": " two words "})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{page}?o=1&q=two+words")


def test_search_needs_the_token_of_the_form(console: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = console.cookies
    assert strict.post(LIST, {"q": "x"}).status_code == 403
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text(strict.get(LIST)))
    assert token
    assert strict.post(LIST, {"q": "x", "csrfmiddlewaretoken": token[1]}).status_code == 302


@pytest.mark.parametrize("form", ["{}", "Authorization: Bearer {}", "'{}'", "{}\n", "https://x.example/?key={}&a=b"])
@pytest.mark.parametrize("cut", [0, 1, 40])
def test_pasted_key_is_found_by_its_prefix(console: Client, form: str, cut: int) -> None:
    key, raw_key = factories.issue(label="the one")
    factories.issue(label="another")
    pasted = raw_key[: len(raw_key) - cut]
    answer = console.post(LIST, {"q": form.format(pasted)}, follow=True)
    assert answer.redirect_chain == [(f"{LIST}?q={key.prefix}", 302)]
    page = text(answer)
    assert "the one" in page
    assert "another" not in page
    assert pasted[len(key.prefix) + 1 :] not in page
    assert "rotate or revoke it" in page


@pytest.mark.parametrize("page", LISTS)
def test_key_in_an_address_is_taken_out_and_named_as_leaked(console: Client, page: str) -> None:
    key, raw_key = factories.issue()
    answer = console.get(page, {"q": raw_key, "o": "1"}, follow=True)
    assert answer.redirect_chain == [(f"{page}?q={key.prefix}&o=1", 302)]
    assert "treat it as leaked" in text(answer)
    assert raw_key[len(key.prefix) + 1 :] not in text(answer)


def test_key_that_nobody_issued_is_searched_for_without_its_secret(console: Client) -> None:
    raw_key = factories.unknown()
    answer = console.post(LIST, {"q": raw_key}, follow=True)
    assert raw_key[24:] not in text(answer)
    assert not ApiKey.objects.exists()


def test_search_for_a_prefix_warns_of_nothing(console: Client) -> None:
    key, _ = factories.issue()
    page = text(console.post(LIST, {"q": key.prefix}, follow=True))
    assert key.prefix in page
    assert "secret" not in page
