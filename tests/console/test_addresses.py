"""Whatever an address of the console says, the answer is a page: the list, or a 400 that says what is wrong."""

import re
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.models import ApiKey, State
from tests.console.key_pages import ADD, LIST, text
from tests.harness import factories

# Without a transaction around the test, which PostgreSQL would end at the first statement that it refuses.
pytestmark = pytest.mark.django_db(transaction=True)

LISTS = {
    LIST: ("state", "is_test__exact", "partner__id__exact", "partner__isnull"),
    "/admin/keys/partner/": (),
    "/admin/keys/keychange/": ("what", "key__partner__id__exact"),
    "/admin/collect/event/": ("event_name", "is_test__exact", "partner__id__exact"),
    "/admin/collect/rejection/": ("code", "partner__id__exact"),
    "/admin/collect/rejectiontally/": (),
    "/admin/auth/user/": ("is_staff__exact", "groups__id__exact"),
    "/admin/auth/group/": (),
}
DJANGOS = ("q", "p", "o", "all", "e", "_popup", "_to_field", "_facets", "_changelist_filters", "date_hierarchy")
UNKNOWN = ("unknown", "id__regex", "partner__name__regex", "ip_address", "body", "received_at__year", "password")
HOSTILE = ("\0", "abc", "-1", "9" * 30, "9" * 5_000, "1.2.-3.x", "w " * 1_000, "\u202e'\"[](", "2026-13-45")


@pytest.fixture
def console(console: Client) -> Client:
    """A client that gets our own page of an error, as people do."""
    console.raise_request_exception = False
    key, _ = factories.issue()
    factories.arrival(factories.source(key))
    return console


@pytest.fixture(params=["operator", "visitor", "stranger"])
def anyone(request: pytest.FixtureRequest, console: Client) -> Client:
    """Someone who is logged in, one who is not, and one whom the console does not let in."""
    if request.param == "operator":
        return console
    client = Client(raise_request_exception=False)
    if request.param == "stranger":
        client.force_login(User.objects.create_user("stranger"))
    return client


@pytest.mark.parametrize("page", LISTS)
def test_list_takes_any_value_of_its_filters_and_of_djangos(anyone: Client, page: str) -> None:
    for name in (*LISTS[page], *DJANGOS, *UNKNOWN):
        for value in HOSTILE:
            answer = anyone.get(f"{page}?{name}={quote(value)}")
            expected = {400} if value == "\0" else {200, 302, 400}
            assert answer.status_code in expected, (name, value[:30])


@pytest.mark.parametrize("page", [ADD, "/admin/keys/partner/add/", "/admin/auth/user/add/", "/admin/auth/group/add/"])
def test_form_of_a_new_row_takes_any_value(console: Client, page: str) -> None:
    names = ("partner", "label", "is_test", "expires_at", "tags", "networks", "per_day", "name", "permissions", "x")
    for name in names:
        for value in ("abc", "-1", "9" * 30, "2026-13-45", "1,x", "[", "\u202e"):
            assert console.get(f"{page}?{name}={quote(value)}").status_code == 200, (name, value)


def test_form_of_a_new_key_still_shows_what_fits(console: Client) -> None:
    other = factories.partner("The other one")
    page = text(
        console.get(ADD, {"partner": str(other.pk), "label": "for the shop", "expires_at": "2099-01-02 03:04:05"})
    )
    assert "The other one" in page
    assert 'value="for the shop"' in page
    assert 'value="2099-01-02"' in page


@pytest.mark.parametrize("value", ["x", "0", "-1", "9" * 30, "9" * 5_000, "\u202e", "1/2", "%2e%2e"])
@pytest.mark.parametrize("page", [LIST, "/admin/collect/event/", "/admin/collect/rejection/", "/admin/auth/user/"])
def test_page_of_no_row_is_not_found_or_leads_away(anyone: Client, page: str, value: str) -> None:
    for step in ("change/", "history/", "delete/", "rotate/", "issued/", ""):
        assert anyone.get(f"{page}{quote(value)}/{step}").status_code in {302, 403, 404}, step


@pytest.mark.parametrize(
    "address",
    [
        "/admin/autocomplete/?app_label=keys&model_name=apikey&field_name=partner&page={}",
        "/admin/autocomplete/?app_label=keys&model_name=apikey&field_name=partner&term={}",
        "/admin/autocomplete/?app_label=keys&model_name=apikey&field_name={}",
        "/admin/autocomplete/?app_label={}&model_name=apikey&field_name=partner",
        "/admin/search/?s={}",
        "/admin/search/?s=key&page={}",
        "/admin/r/{}/1/",
        "/admin/{}/",
        "/admin/?x={}",
        "/admin/login/?next={}",
    ],
)
def test_other_pages_take_any_value(anyone: Client, address: str) -> None:
    for value in ("\0", "abc", "-1", "9" * 30, "\u202e", "/"):
        assert anyone.get(address.format(quote(value))).status_code in {200, 302, 400, 403, 404}, value


def test_nul_is_named(anyone: Client) -> None:
    answer = anyone.get("/admin/collect/event/?q=a%00b")
    assert (answer.status_code, "U+0000" in answer.content.decode()) == (400, True)
    assert answer["Content-Type"].startswith("text/html")
    assert anyone.get("/admin/collect/%00/").status_code == 400


# Django's own bounds: 1,000 fields, and 2.5 MB of a form without files.
@pytest.mark.parametrize("form", [{str(number): "x" for number in range(1_100)}, {"username": "x" * 3_000_000}])
@pytest.mark.parametrize("page", ["/admin/login/", LIST])
def test_form_that_is_too_large_is_refused_on_a_page(anyone: Client, page: str, form: dict[str, str]) -> None:
    answer = anyone.post(page, urlencode(form), content_type="application/x-www-form-urlencoded")
    assert answer.status_code in ({400, 413} if page == "/admin/login/" else {302, 400, 413})
    assert answer.status_code == 302 or answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("page", LISTS)
def test_heading_of_a_filter_is_a_name_and_no_column_s(console: Client, page: str) -> None:
    factories.partner("Another")  # a filter with one choice is not shown
    answer = console.get(page)
    titles = [str(spec.title) for spec in answer.context["cl"].filter_specs]
    assert [title for title in titles if re.search(r"_|^(is|has|ua) ", title)] == []
    assert all(f"By {title}" in text(answer) for title in titles)


def test_unknown_part_of_an_address_is_left_out_and_named(console: Client) -> None:
    answer = console.get("/admin/collect/event/?nonsense=1", follow=True)
    assert answer.redirect_chain == [("/admin/collect/event/?e=1", 302)]
    assert "so the whole list is shown" in text(answer)


def test_column_without_a_filter_is_none_in_an_address(console: Client) -> None:
    """Django would search any column of the row so, at any cost."""
    for name in ("user_agent", "page_url__regex", "api_key", "params"):
        assert console.get(f"/admin/collect/event/?{name}=a").headers["Location"].endswith("?e=1")


def test_long_search_is_cut_and_says_so(console: Client) -> None:
    answer = console.post(LIST, {"q": "word " * 5_000}, follow=True)
    assert len(answer.redirect_chain[0][0]) < 1_100
    assert "first 30 words only" in text(answer)
    factories.issue(label="many words " + "x" * 200)
    assert "many words" in text(console.get(LIST, {"q": "x" * 200}))
    assert "words only" not in text(console.get(LIST, {"q": "many words"}))


@pytest.mark.parametrize("selected", ["x", "\0", "9" * 30, ""])
def test_selection_of_no_row_is_refused(console: Client, selected: str) -> None:
    answer = console.post(LIST, {"action": "revoke_selected", "_selected_action": [selected]})
    assert answer.status_code == 400
    assert ApiKey.objects.get().state is State.ACTIVE


def test_failure_of_ours_is_still_a_503(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiKey, "state", property(lambda _key: 1 / 0))
    assert console.get(LIST).status_code == 503
