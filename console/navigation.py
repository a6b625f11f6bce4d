"""The menu of the console: the pages in the order in which an operator needs them, each for those who may see it."""

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# Title, icon, name of the address, and the right that it takes ("" for none).
_WATCH = (
    ("Overview", "monitoring", "admin:index", ""),
    ("Live", "stream", "console:live", "collect.view_event"),
    ("Search", "search", "console:search", ""),
    ("Rejections", "report", "console:rejections", "collect.view_rejection"),
    ("Partners", "storefront", "console:partners", "collect.view_event"),
    ("Ledger", "balance", "console:ledger", "collect.view_event"),
)
_KEYS = (
    ("API keys", "key", "admin:keys_apikey_changelist", "keys.view_apikey"),
    ("Key history", "history", "admin:keys_keychange_changelist", "keys.view_keychange"),
    ("Names of partners", "badge", "admin:keys_partner_changelist", "keys.view_partner"),
)
_LISTS = (
    ("All events", "list", "admin:collect_event_changelist", "collect.view_event"),
    ("All rejections", "block", "admin:collect_rejection_changelist", "collect.view_rejection"),
    ("Rejections by hour", "schedule", "admin:collect_rejectiontally_changelist", "collect.view_rejectiontally"),
)
_PEOPLE = (
    ("Users", "person", "admin:auth_user_changelist", "auth.view_user"),
    ("Groups", "group", "admin:auth_group_changelist", "auth.view_group"),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu as unfold's SIDEBAR has it."""
    return [
        {"items": _items(_WATCH)},
        {"title": "Keys", "separator": True, "items": _items(_KEYS)},
        {"title": "Lists", "separator": True, "items": _items(_LISTS)},
        {"title": "People", "separator": True, "items": _items(_PEOPLE)},
    ]


def _items(pages: Sequence[tuple[str, str, str, str]]) -> list[dict[str, Any]]:
    return [
        {"title": title, "icon": icon, "link": reverse(name), "permission": _has(right)}
        for title, icon, name, right in pages
    ]


def _has(right: str) -> Callable[[HttpRequest], bool]:
    return lambda request: not right or request.user.has_perm(right)
