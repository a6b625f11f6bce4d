"""Keys in the console: the list, a key's page with its use and its history, and issuing.

A raw key is rendered on one page, once (`show_once`), and must reach nothing else: no message, no history, no list, no
address, and the session only in a form that is worth nothing alone. A key is revoked, never deleted, and never comes
back.
"""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import ForeignKey, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from unfold.decorators import display

from console import key_use
from console.admin import captures, show_once
from console.admin.key_forms import ApiKeyForm, NamedSelect
from console.admin.key_steps import Steps, actor
from keys import lifecycle
from keys.models import ApiKey, ApiKeyQuerySet, State

# The attribute of the request in which the raw key waits between `save_model` and `response_add`, which Django calls
# one after the other. Nothing lives shorter than the request.
RAW_KEY = "issued_raw_key"
# Lines of history on a key's page, which links to the rest.
SHOWN_CHANGES = 20


def curl(url: str, raw_key: str) -> str:
    """Return a shell command that sends a first event with the key."""
    event = json.dumps({"event_name": "items_added", "page_url": "https://shop.example/cart"})
    words = ["curl", "-i", url, "-H", f"Authorization: Bearer {raw_key}"]
    return shlex.join([*words, "-H", "Content-Type: application/json", "-d", event])


# The lists of a key, and what shows them where they cannot be changed.
_AS_LINES = {"tags": "shown_tags", "networks": "shown_networks"}


class StateFilter(admin.SimpleListFilter):
    """Filters by the state that the list shows."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the four states."""
        return [(state.value, state.label) for state in State]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        """Return the keys in the chosen state, or all keys if the value is no state."""
        if isinstance(queryset, ApiKeyQuerySet) and self.value() in State.values:
            return queryset.in_state(str(self.value()))
        return queryset


@admin.register(ApiKey)
class ApiKeyAdmin(Steps):
    """Issue, rotate, restrict and revoke keys."""

    list_display = (
        "partner",
        "prefix",
        "label",
        "kind",
        "state_word",
        "last_used_at",
        "created_at",
    )
    list_display_links = ("prefix",)
    list_select_related = ("partner",)
    list_filter = (StateFilter, "is_test", ("partner", admin.RelatedOnlyFieldListFilter))
    search_fields = ("prefix", "label", "partner__name")
    autocomplete_fields = ("partner",)
    form = ApiKeyForm
    change_form_outer_after_template = "admin/keys/apikey/after.html"
    list_before_template = "admin/warnings.html"

    add_fields = ("partner", "label", "is_test", "expires_at", "tags", "networks", "per_second", "per_day")
    change_fields = (
        "label",
        "expires_at",
        "tags",
        "networks",
        "per_second",
        "per_day",
        "partner",
        "prefix",
        "kind",
        "state_word",
        "created_at",
        "created_by",
        "last_used_at",
        "revoked_at",
        "revoked_by",
    )

    @display(description="kind", ordering="is_test", label={"live": "primary", "test": "info"})
    def kind(self, key: ApiKey) -> str:
        """Return whether the key is `live` or `test`."""
        return "test" if key.is_test else "live"

    @display(
        description="state",
        label={
            State.ACTIVE.value: "success",
            State.EXPIRING.value: "info",
            State.EXPIRED.value: "warning",
            State.REVOKED.value: "danger",
        },
    )
    def state_word(self, key: ApiKey) -> str:
        """Return the state as a word, so that the colour alone says nothing."""
        return key.state.value

    @display(description="Allowed tags")
    def shown_tags(self, key: ApiKey) -> str:
        """Return the tags, one on a line; all if none are named."""
        return "\n".join(key.tags) or "all"

    @display(description="Allowed networks")
    def shown_networks(self, key: ApiKey) -> str:
        """Return the networks, one on a line; all if none are named."""
        return "\n".join(key.networks) or "all"

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        """Return the field, with a name where it searches."""
        if db_field.name in self.autocomplete_fields:
            kwargs["widget"] = NamedSelect(db_field, self.admin_site)
        field: ModelChoiceField[Any] | None = super().formfield_for_foreignkey(db_field, request, **kwargs)
        return field

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Sequence[str]:
        """Return the fields that may be chosen for a new key, or all that is known of an old one."""
        if obj is None:
            return self.add_fields
        if obj.is_active() and self.has_change_permission(request, obj):
            return self.change_fields
        # Unfold colours JSON that cannot be changed by styles in the page, which the policy forbids.
        return [_AS_LINES.get(name, name) for name in self.change_fields]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Sequence[str]:
        """Return the fields that cannot be changed.

        Of an issued key only `EDITABLE` can; of an ended one only the label, because it never comes back.
        """
        if obj is None:
            return ()
        return tuple(set(self.get_fields(request, obj)) - set(ApiKey.EDITABLE if obj.is_active() else ("label",)))

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Return False: events point to their key, and nobody could see that a deleted key had been used."""
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the key, with who uses it and what happened to it."""
        key = self.get_object(request, object_id)
        extra = extra_context or {}
        if key is not None:
            changes = key.history.select_related("by")[: SHOWN_CHANGES + 1]
            extra |= {
                "uses": key_use.of(key),
                "changes": changes[:SHOWN_CHANGES],
                "has_more": len(changes) > SHOWN_CHANGES,
                "capture": captures.section(request, key),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, extra)
        return response

    def has_history(self, request: HttpRequest, object_id: str) -> bool:
        """Return True: a key's history begins with its issue."""
        return True

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Go to the key's own history; the console's log of edits knows less. Raises Http404."""
        key = self._key(request, object_id)
        return redirect(f"{reverse('admin:keys_keychange_changelist')}?q={key.prefix}")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form, without the buttons that would leave before the key has been shown."""
        hidden = {"show_save_and_continue": False, "show_save_and_add_another": False}
        response: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **hidden})
        return response

    def save_model(self, request: HttpRequest, obj: ApiKey, form: "ModelForm[ApiKey]", change: bool) -> None:
        """Issue a new key. Of an old one, save what is editable and write the difference into its history."""
        if change:
            lifecycle.change(obj, actor(request))
        else:
            setattr(request, RAW_KEY, lifecycle.issue(obj, actor(request)))

    def response_add(
        self,
        request: HttpRequest,
        obj: ApiKey,
        post_url_continue: str | None = None,  # Django's signature
    ) -> HttpResponse:
        """Go to the only page that ever shows the raw key, whichever button was pressed."""
        return show_once.hand_over(request, obj, getattr(request, RAW_KEY))

    def get_urls(self) -> list[URLPattern]:
        """Return the pages of keys, with the one that shows a raw key."""
        view = self.admin_site.admin_view(self.issued_view)
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:object_id>/issued/", view, name="keys_apikey_issued"), *urls]

    def issued_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Show the raw key to whoever has just issued it, once; the same address then says that it has been shown.

        Raises Http404 where there is no such key, and PermissionDenied for a user who may issue none.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied
        key = self._key(request, str(object_id))
        raw_key = show_once.take(request, key)
        line = curl(request.build_absolute_uri("/api/collect"), raw_key or "")
        response = self._page(request, "issued", "API key issued", key=key, raw_key=raw_key, curl=line)
        show_once.forget(response, key)
        return response
