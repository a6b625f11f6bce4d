"""One search for all that an operator holds in hand. What is typed is posted: no secret of a key gets an address."""

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from collect.models import Rejection
from console import search_terms
from console.pages.frame import DataPage
from keys.models import ApiKey
from reporting import search
from reporting.search import FoundEvent


class SearchPage(DataPage):
    """Events, rejections and keys that have exactly the text of the address's `q`."""

    title = "Search"
    template_name = "admin/search.html"
    # Whoever may see none of the kinds finds none of them.
    permissions: ClassVar[tuple[str, ...]] = ()
    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest, **named: Any) -> HttpResponse:
        """Answer as other pages do, but lead an address that has a secret to one without."""
        if search_terms.read(request.GET.get("q", "")).had_secret:
            messages.warning(request, search_terms.IN_ADDRESS)
            return self._lead(request, request.GET["q"])
        return super().get(request, **named)

    def post(self, request: HttpRequest, **named: Any) -> HttpResponse:
        """Lead to the address of what was typed."""
        return self._lead(request, request.POST.get("q", ""))

    def _lead(self, request: HttpRequest, typed: str) -> HttpResponse:
        term = search_terms.read(typed)
        if term.had_secret:
            messages.warning(request, search_terms.WHOLE_KEY)
        query = QueryDict(mutable=True)
        query["q"] = term.text
        return redirect(f"{request.path}?{query.urlencode()}")

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return what was found by kind, and what was searched, how far back, and what was not."""
        text = search_terms.read(request.GET.get("q", "")).text
        asked = {"query": text, "searched": search.SEARCHED, "not_searched": search.NOT_SEARCHED}
        if not text:
            return {**asked, "is_found": False, "limits": []}
        before = search.as_uuid(request.GET.get("before", ""))
        found = search.search(text, before, request.user.has_perm)
        return {
            **asked,
            "is_found": bool(found),
            "limits": search.limits(found.coverage),
            "events": [event_data(one) for one in found.events],
            "older": _older(text, found.next_before),
            "rejections": [_rejection(one) for one in found.rejections],
            "keys": [_key(one) for one in found.keys],
        }


def _older(text: str, before: UUID | None) -> str | None:
    if before is None:
        return None
    query = QueryDict(mutable=True)
    query.update({"q": text, "before": str(before)})
    return f"{reverse('console:search')}?{query.urlencode()}"


def event_data(found: FoundEvent) -> dict[str, Any]:
    """Return an event of a list, as values that JSON knows."""
    event = found.event
    return {
        "id": str(event.pk),
        "received_at": event.received_at,
        "timestamp": event.timestamp,
        "partner": event.partner.name,
        "api_key": event.api_key and event.api_key.prefix,
        "is_test": event.is_test,
        "event_name": event.event_name,
        "tag_id": event.tag_id,
        "event_id": event.event_id,
        "outcome": "stored" if event.api_key_id else "imported",
        "found_in": found.places,
        "address": reverse("admin:collect_event_change", args=[event.pk]),
    }


def _rejection(rejection: Rejection) -> dict[str, Any]:
    return {
        "id": rejection.pk,
        "received_at": rejection.received_at,
        "partner": rejection.partner.name,
        "api_key": rejection.api_key.prefix,
        "request_id": rejection.request_id,
        "outcome": rejection.code,
        "detail": rejection.detail,
        "address": reverse("admin:collect_rejection_change", args=[rejection.pk]),
    }


def _key(key: ApiKey) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "label": key.label,
        "partner": key.partner.name,
        "outcome": key.state.value,
        "is_test": key.is_test,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "address": reverse("admin:keys_apikey_change", args=[key.pk]),
        "is_usable": key.is_active(),
        "rotate": reverse("admin:keys_apikey_rotate_key", args=[key.pk]),
        "revoke": reverse("admin:keys_apikey_revoke_key", args=[key.pk]),
    }
