"""The history of all keys in the console. Nobody writes here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from console.admin.read_only import ReadOnlyAdmin, moment
from keys.models import KeyChange


@admin.register(KeyChange)
class KeyChangeAdmin(ReadOnlyAdmin):
    """What happened to keys, newest first."""

    list_display = (moment("at", "when"), "key", "what", "by_name", "address", "detail")
    list_display_links = None
    list_select_related = ("key",)
    list_filter = ("what", ("key__partner", admin.RelatedOnlyFieldListFilter))
    search_fields = ("key__prefix", "key__label", "by_name", "detail")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may see keys."""
        return request.user.has_perm("keys.view_apikey") or request.user.has_perm("keys.change_apikey")
