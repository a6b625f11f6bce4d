"""The menu of the console: the pages in the order in which an operator needs them, each for those who may see it."""

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from console.pages.ledger import LedgerPage
from console.pages.live import LivePage
from console.pages.overview import OverviewPage
from console.pages.partners import PartnersPage
from console.pages.rejections import RejectionsPage
from console.pages.reports.pages import ReportsPage
from console.pages.search import SearchPage

# Title, icon, name of the address, and the rights that it takes: of a page of ours, those that the page asks for.
_WATCH = (
    ("Overview", "monitoring", "admin:index", OverviewPage.permissions),
    ("Live", "stream", "console:live", LivePage.permissions),
    ("Search", "search", "console:search", SearchPage.permissions),
    ("Rejections", "report", "console:rejections", RejectionsPage.permissions),
    ("Partners", "storefront", "console:partners", PartnersPage.permissions),
    ("Reports", "bar_chart", "console:reports", ReportsPage.permissions),
    ("Ledger", "balance", "console:ledger", LedgerPage.permissions),
)
_KEYS = (
    ("API keys", "key", "admin:keys_apikey_changelist", ("keys.view_apikey",)),
    ("Key history", "history", "admin:keys_keychange_changelist", ("keys.view_keychange",)),
    ("Names of partners", "badge", "admin:keys_partner_changelist", ("keys.view_partner",)),
)
_LISTS = (
    ("All events", "list", "admin:collect_event_changelist", ("collect.view_event",)),
    ("All rejections", "block", "admin:collect_rejection_changelist", ("collect.view_rejection",)),
    ("Rejections by hour", "schedule", "admin:collect_rejectiontally_changelist", ("collect.view_rejectiontally",)),
)
_PEOPLE = (
    ("Users", "person", "admin:auth_user_changelist", ("auth.view_user",)),
    ("Groups", "group", "admin:auth_group_changelist", ("auth.view_group",)),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu as unfold's SIDEBAR has it."""
    return [
        {"items": _items(_WATCH)},
        {"title": "Keys", "separator": True, "items": _items(_KEYS)},
        {"title": "Lists", "separator": True, "items": _items(_LISTS)},
        {"title": "People", "separator": True, "items": _items(_PEOPLE)},
    ]


def _items(pages: Sequence[tuple[str, str, str, Sequence[str]]]) -> list[dict[str, Any]]:
    return [
        {"title": title, "icon": icon, "link": reverse(name), "permission": _has(rights)}
        for title, icon, name, rights in pages
    ]


def _has(rights: Sequence[str]) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perms(rights)
