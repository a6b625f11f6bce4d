"""What all pages of the console share."""

import re
from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR, SEARCH_VAR
from django.contrib.admin.views.main import ChangeList as BaseChangeList
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist, SuspiciousOperation, ValidationError
from django.db.models import ManyToManyField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin

from console import search_terms
from console.admin.lists import ChangeList

UNREADABLE = "The address of this page has a part that means nothing here, so the whole list is shown."
# The largest id of a row that both databases can look for.
MAX_ID = 2**63 - 1


class Page(ModelAdmin):
    """A list and a page of the console."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BaseChangeList]:
        """Return the list that no address breaks."""
        return ChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list.

        A search is posted and comes back as an address without the secret of a key, which somebody may have pasted.
        Raises SuspiciousOperation where rows are selected that cannot be any.
        """
        if request.method == "POST" and SEARCH_VAR in request.POST:
            return self._searched(request, request.POST[SEARCH_VAR])
        if search_terms.read(request.GET.get(SEARCH_VAR, "")).had_secret:
            self.message_user(request, search_terms.IN_ADDRESS, messages.WARNING)
            return self._searched(request, request.GET[SEARCH_VAR])
        if ERROR_FLAG in request.GET:
            self.message_user(request, UNREADABLE, messages.WARNING)
        if not all(self._can_be_an_id(value) for value in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise SuspiciousOperation("what was selected is no row")
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response

    def _searched(self, request: HttpRequest, typed: str) -> HttpResponse:
        term = search_terms.read(typed)
        if term.had_secret:
            self.message_user(request, search_terms.WHOLE_KEY, messages.WARNING)
        query = request.GET.copy()
        for name in (PAGE_VAR, ERROR_FLAG):
            query.pop(name, None)
        query[SEARCH_VAR] = term.text
        return redirect(f"{request.path}?{query.urlencode()}")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows in which all words are found; of a very long search, the first words."""
        words = search_term[: search_terms.CHARACTERS].split()
        if len(words) > search_terms.WORDS:
            search_term = " ".join(words[: search_terms.WORDS])
            self.message_user(request, f"Searched for the first {search_terms.WORDS} words only.", messages.WARNING)
        results: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term)
        return results

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Tell whether an address may filter so: only as the list's filters do, which are few and cheap."""
        names = [self._parameter(one) for one in self.get_list_filter(request)]
        pattern = rf"({'|'.join(map(re.escape, names))})(__id)?(__exact|__isnull)?"
        return bool(names and re.fullmatch(pattern, lookup)) and super().lookup_allowed(lookup, value, request)

    @staticmethod
    def _parameter(list_filter: Any) -> str:
        if isinstance(list_filter, tuple):
            list_filter = list_filter[0]
        return str(getattr(list_filter, "parameter_name", list_filter))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the address says that a new row's form shows, as far as its fields can hold it."""
        initial = {}
        asked: dict[str, Any] = super().get_changeform_initial_data(request)
        for name, value in asked.items():
            with suppress(FieldDoesNotExist, ValidationError, AttributeError):
                field: Any = self.opts.get_field(name)
                if isinstance(field, ManyToManyField):
                    initial[name] = [one for one in value if self._can_be_an_id(one)]
                elif field.remote_field is None or self._can_be_an_id(value):
                    initial[name] = field.to_python(value)
        return initial

    def _can_be_an_id(self, value: str) -> bool:
        try:
            number = self.opts.pk.to_python(value)
        except ValidationError:
            return False
        return not isinstance(number, int) or abs(number) <= MAX_ID

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
