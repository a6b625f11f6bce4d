"""The history of all keys in the console. Nobody writes here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from console.admin.read_only import ReadOnlyAdmin, ValueFilter, moment
from keys.models import KeyChange
from runtime.display import exact


class WhatFilter(ValueFilter):
    """Filters by what happened, in the words of the list."""

    title = parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return what can happen to a key."""
        return [(value, value) for value in KeyChange.What.values]


@admin.register(KeyChange)
class KeyChangeAdmin(ReadOnlyAdmin):
    """What happened to keys, newest first."""

    list_display = (moment("at", "when"), "key", "happened", "by_name", "address", "detail")
    readonly_fields = fields = (moment("at", "when", exact), "key", "happened", "by_name", "address", "detail")
    list_select_related = ("key",)
    list_filter = (WhatFilter, ("key__partner", admin.RelatedOnlyFieldListFilter))
    search_fields = ("key__prefix", "key__label", "by_name", "detail")

    @display(description="what", ordering="what")
    def happened(self, change: KeyChange) -> str:
        """Return what happened, in the word that is stored."""
        return change.what

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may see keys."""
        return request.user.has_perm("keys.view_apikey") or request.user.has_perm("keys.change_apikey")
