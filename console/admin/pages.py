"""What all pages of the console share."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR, SEARCH_VAR
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin

from keys import crypto

WHOLE_KEY = (
    "You searched for a whole key. Its secret was left out of the search and is kept nowhere here. If others may have "
    "seen it, in a log, a chat or a repository, it has leaked: find the key by its prefix and rotate or revoke it."
)
IN_ADDRESS = "The key was in the page's address, which browsers and proxies keep: treat it as leaked."


class Page(ModelAdmin):
    """A list and a page of the console."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list.

        A search is posted and comes back as an address without the secret of a key, which somebody may have pasted.
        """
        if request.method == "POST" and SEARCH_VAR in request.POST:
            return self._searched(request, request.POST[SEARCH_VAR])
        if crypto.SECRET.search(request.GET.get(SEARCH_VAR, "")):
            self.message_user(request, IN_ADDRESS, messages.WARNING)
            return self._searched(request, request.GET[SEARCH_VAR])
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response

    def _searched(self, request: HttpRequest, term: str) -> HttpResponse:
        if key := crypto.SECRET.search(term):
            self.message_user(request, WHOLE_KEY, messages.WARNING)
        query = request.GET.copy()
        for name in (PAGE_VAR, ERROR_FLAG):
            query.pop(name, None)
        query[SEARCH_VAR] = key[1] if key else term.strip()
        return redirect(f"{request.path}?{query.urlencode()}")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the row's page, with a button to its history where there is any."""
        has_history = object_id is not None and self.has_history(request, object_id)
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), "show_history": has_history}
        )

    def has_history(self, request: HttpRequest, object_id: str) -> bool:
        """Tell whether the console has noted a change of this row."""
        kind = ContentType.objects.get_for_model(self.model)
        return LogEntry.objects.filter(content_type=kind, object_id=unquote(object_id)).exists()
