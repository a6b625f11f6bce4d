"""Partners in the console."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from console.admin.pages import Page
from keys.models import Partner


@admin.register(Partner)
class PartnerAdmin(Page):
    """Partners. One that has keys cannot be deleted, because events belong to it."""

    list_display = ("name", "key_count", "created_at")
    search_fields = ("name",)
    readonly_fields = ("created_at",)
    # An aggregate drops the model's own order.
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Partner]:
        """Return the partners, each with the number of its keys."""
        queryset: QuerySet[Partner] = super().get_queryset(request)
        return queryset.annotate(key_count=Count("keys"))

    @display(description="keys", ordering="key_count")
    def key_count(self, partner: Any) -> int:
        """Return how many keys the partner has had."""
        count: int = partner.key_count
        return count

    def has_delete_permission(self, request: HttpRequest, obj: Partner | None = None) -> bool:
        """Return False for a partner with keys.

        Every event has a key, and Django would load all of the partner's events only to say that they are protected.
        """
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.keys.exists())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the list's actions without deletion.

        It would collect all rows that belong to the partners before it asks `has_delete_permission` for each.
        """
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions
