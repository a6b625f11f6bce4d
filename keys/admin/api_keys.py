"""Keys in the console: issue and revoke.

A raw key is rendered in the answer to the POST that made it, and must reach nothing else: no message, no
session, no history, no list. A key is revoked, never deleted, and never comes back.
"""

import json
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from keys import lifecycle
from keys.models import ApiKey, ApiKeyQuerySet, State

# Where the raw key waits between `save_model` and `response_add`, which Django calls one after the other: the
# request, as nothing lives shorter.
RAW_KEY = "issued_raw_key"


def curl(url: str, raw_key: str) -> str:
    """A line for a shell that sends a first event with the key."""
    event = json.dumps({"event_name": "items_added", "page_url": "https://shop.example/cart"})
    words = ["curl", "-i", url, "-H", f"Authorization: Bearer {raw_key}"]
    return shlex.join([*words, "-H", "Content-Type: application/json", "-d", event])


class StateFilter(admin.SimpleListFilter):
    """By the word that the list shows."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The three states."""
        return [(state.value, state.label) for state in State]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        """The keys in the chosen state; a value that is none of them chooses nothing."""
        if isinstance(queryset, ApiKeyQuerySet) and self.value() in State.values:
            return queryset.in_state(str(self.value()))
        return queryset


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Issue and revoke keys."""

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
    actions = ("revoke_selected",)
    actions_detail = ("revoke_key",)

    add_fields = ("partner", "label", "is_test", "expires_at")
    change_fields = (
        "label",
        "expires_at",
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
        """Live or test."""
        return "test" if key.is_test else "live"

    @display(
        description="state",
        label={State.ACTIVE.value: "success", State.EXPIRED.value: "warning", State.REVOKED.value: "danger"},
    )
    def state_word(self, key: ApiKey) -> str:
        """The state; the colour says nothing that the word does not."""
        return key.state.value

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Sequence[str]:
        """What may be chosen for a new key, and everything that is known of an old one."""
        return self.add_fields if obj is None else self.change_fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Sequence[str]:
        """Once issued, only the label and the expiry can change."""
        return () if obj is None else tuple(set(self.change_fields) - set(ApiKey.EDITABLE))

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Nobody: events point to their key, and what is deleted cannot be seen to have been used."""
        return False

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change keys may end them."""
        allowed: bool = self.has_change_permission(request)
        return allowed

    # --- issue ---

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Without the buttons that would leave before the key has been shown."""
        hidden = {"show_save_and_continue": False, "show_save_and_add_another": False}
        response: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **hidden})
        return response

    def save_model(self, request: HttpRequest, obj: ApiKey, form: "ModelForm[ApiKey]", change: bool) -> None:
        """Issue a new key; of an old one `ApiKey.save` writes what is editable."""
        if change:
            super().save_model(request, obj, form, change)
        else:
            obj.created_by = cast(User, request.user)
            setattr(request, RAW_KEY, lifecycle.issue(obj))

    def response_add(
        self,
        request: HttpRequest,
        obj: ApiKey,
        post_url_continue: str | None = None,  # Django's signature
    ) -> HttpResponse:
        """The only page that ever shows the raw key, whichever button was pressed."""
        raw_key = getattr(request, RAW_KEY)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "API key issued",
            "key": obj,
            "raw_key": raw_key,
            "curl": curl(request.build_absolute_uri("/api/collect"), raw_key),
        }
        headers = {"Cache-Control": "no-store"}
        return TemplateResponse(request, "admin/keys/apikey/issued.html", context, headers=headers)

    # --- revoke ---

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """No button on a key that has been revoked."""
        key = self.get_object(request, object_id)
        actions: list[Any] = super().get_actions_detail(request, object_id)
        return [] if key is None or key.state is State.REVOKED else actions

    @action(
        description="Revoke",
        url_path="revoke",
        permissions=["revoke"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def revoke_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The button on the key's page: asks first (GET), then ends the key (POST)."""
        key = self.get_object(request, object_id)
        if key is None:
            raise Http404
        if request.method != "POST":
            return self._confirmation(request, [key])
        self._revoke(request, [key])
        return redirect("admin:keys_apikey_change", key.pk)

    @admin.action(description="Revoke selected keys", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """The action of the list: asks first, then ends the keys and returns to the list."""
        keys = list(queryset.select_related("partner"))
        if "confirmed" not in request.POST:
            return self._confirmation(request, keys)
        self._revoke(request, keys)
        return None

    def _confirmation(self, request: HttpRequest, keys: list[ApiKey]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Revoke API keys" if len(keys) > 1 else "Revoke API key",
            "keys": keys,
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/keys/apikey/revoke.html", context)

    def _revoke(self, request: HttpRequest, keys: Iterable[ApiKey]) -> None:
        """Revoke each, with a line in its history, and say how many were."""
        revoked = before = 0
        for key in keys:
            with transaction.atomic():
                if lifecycle.revoke(key, by=cast(User, request.user)):
                    self.log_change(request, key, "Revoked.")
                    revoked += 1
                else:
                    before += 1
        if revoked:
            self.message_user(request, f"Revoked: {revoked}. Refused everywhere within 5 seconds.", messages.SUCCESS)
        if before:
            self.message_user(request, f"Had been revoked before: {before}.", messages.WARNING)
