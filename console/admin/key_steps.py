"""The steps on a key that exists: rotate, extend, revoke. Each asks first and is written into the key's history."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.decorators import action
from unfold.enums import ActionVariant

from console.admin import show_once
from console.admin.key_forms import RotateForm
from console.admin.pages import Page
from keys import history, lifecycle
from keys.models import ApiKey, State
from runtime import addresses
from runtime.display import minute

EXTENSION = timedelta(hours=24)
ID = re.compile(r"[0-9]{1,18}")


def actor(request: HttpRequest) -> history.Actor:
    """Return the user of the console, with the address of the request."""
    user = cast(User, request.user)
    return history.Actor(user.get_username(), user, addresses.of_request(request))


class Steps(Page):
    """The buttons of a key's page, and the action of the list."""

    actions = ("revoke_selected",)
    actions_detail = ("rotate_key", "extend_key", "revoke_key")

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may revoke keys; viewing, issuing and changing are other rights."""
        return request.user.has_perm("keys.revoke_apikey")

    def has_rotate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may both issue a key and set when another ends."""
        return request.user.has_perm("keys.add_apikey") and request.user.has_perm("keys.change_apikey")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Return only the buttons that have a meaning in the key's state."""
        key = self.get_object(request, object_id)
        buttons: list[Any] = super().get_actions_detail(request, object_id)
        if key is None or key.state is State.REVOKED:
            return []
        meaningless = set() if key.is_active() else {"rotate_key"}
        meaningless |= set() if key.is_active() and key.expires_at is not None else {"extend_key"}
        return [button for button in buttons if button.action_name.rpartition("keys_apikey_")[2] not in meaningless]

    def _key(self, request: HttpRequest, object_id: str) -> ApiKey:
        key: ApiKey | None = self.get_object(request, object_id)
        if key is None:
            raise Http404
        return key

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        context |= {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return TemplateResponse(request, f"admin/keys/apikey/{template}.html", context)

    def _ended(self, request: HttpRequest, key: ApiKey, error: lifecycle.Ended) -> HttpResponse:
        self.message_user(request, str(error), messages.ERROR)
        return redirect("admin:keys_apikey_change", key.pk)

    @action(description="Rotate", url_path="rotate", permissions=["rotate"], icon="autorenew")
    def rotate_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how long the old key goes on working (GET), then issue the new one and show it (POST). Raises Http404."""
        key = self._key(request, object_id)
        form = RotateForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self._page(request, "rotate", "Rotate API key", key=key, form=form)
        try:
            new, raw_key = lifecycle.rotate(key, actor(request), form.cleaned_data["until"])
        except lifecycle.Ended as error:
            return self._ended(request, key, error)
        self.log_change(request, key, f"Rotated: {new.prefix}.")
        return show_once.hand_over(request, new, raw_key)

    @action(description="Extend by 24 hours", url_path="extend", permissions=["change"], icon="more_time")
    def extend_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask first (GET), then let a key that would end work for 24 hours from now (POST). Raises Http404."""
        key = self._key(request, object_id)
        if request.method != "POST":
            return self._page(request, "extend", "Extend API key", key=key)
        try:
            lifecycle.extend(key, actor(request), EXTENSION)
        except lifecycle.Ended as error:
            return self._ended(request, key, error)
        self.log_change(request, key, "Extended by 24 hours.")
        self.message_user(request, f"Works until {minute(key.expires_at)} UTC.", messages.SUCCESS)
        return redirect("admin:keys_apikey_change", key.pk)

    @action(
        description="Revoke",
        url_path="revoke",
        permissions=["revoke"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def revoke_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask first (GET), then end the key (POST). Raises Http404."""
        key = self._key(request, object_id)
        if request.method != "POST":
            return self._confirmation(request, [key])
        self._revoke(request, [key.pk])
        return redirect("admin:keys_apikey_change", key.pk)

    @admin.action(description="Revoke selected keys", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Ask first, then end the keys that were shown with the question and return to the list."""
        if "confirmed" not in request.POST:
            return self._confirmation(request, list(queryset.select_related("partner")))
        self._revoke(request, [int(pk) for pk in request.POST.get("keys", "").split(",") if ID.fullmatch(pk)])
        return None

    def _confirmation(self, request: HttpRequest, keys: list[ApiKey]) -> HttpResponse:
        title = "Revoke API keys" if len(keys) > 1 else "Revoke API key"
        # One field for all keys: Django takes no form with more than 1,000 (DATA_UPLOAD_MAX_NUMBER_FIELDS).
        ids = ",".join(str(key.pk) for key in keys)
        return self._page(request, "revoke", title, keys=keys, ids=ids, checkbox=helpers.ACTION_CHECKBOX_NAME)

    @transaction.atomic
    def _revoke(self, request: HttpRequest, keys: Sequence[int]) -> None:
        """Revoke the keys, with a line in the history of each, and tell the user how many were revoked."""
        ended = lifecycle.revoke_all(keys, actor(request))
        LogEntry.objects.log_actions(cast(User, request.user).pk, ended, CHANGE, "Revoked.")
        if ended:
            words = f"Revoked: {len(ended)}. Refused everywhere within 5 seconds."
            self.message_user(request, words, messages.SUCCESS)
        if before := len(keys) - len(ended):
            self.message_user(request, f"Had been revoked before: {before}.", messages.WARNING)
