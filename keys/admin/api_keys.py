"""Keys in the console: issue, rotate, restrict and revoke, with what happened to each and who still uses it.

A raw key is rendered in the answer to the POST that made it, and must reach nothing else: no message, no
session, no history, no list. A key is revoked, never deleted, and never comes back.
"""

import json
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextareaWidget

from keys import history, lifecycle
from keys.models import ApiKey, ApiKeyQuerySet, KeyChange, State

# Where the raw key waits between `save_model` and `response_add`, which Django calls one after the other: the
# request, as nothing lives shorter.
RAW_KEY = "issued_raw_key"


# How long a key goes on working after another has taken its place.
GRACES = [("0", "now"), ("30", "30 minutes"), ("1440", "24 hours"), ("10080", "7 days"), ("date", "a date")]


class Lines(forms.Field):
    """A list of texts, one on each line."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        """As it is shown."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        """As it is kept; what is blank is nothing."""
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Restrictions as lines of text."""

    tags = Lines(required=False, label="Allowed tags", help_text=ApiKey._meta.get_field("tags").help_text)
    networks = Lines(required=False, label="Allowed networks", help_text=ApiKey._meta.get_field("networks").help_text)


class RotateForm(forms.Form):
    """How long the old key goes on working."""

    grace = forms.ChoiceField(choices=GRACES, initial="1440", widget=UnfoldAdminSelectWidget)
    until = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text="UTC; where a date is chosen above."
    )

    def clean(self) -> dict[str, Any]:
        """`until` is the moment at which the old key ends."""
        data: dict[str, Any] = super().clean() or {}
        now = timezone.now()
        if data.get("grace") != "date":
            data["until"] = now + timedelta(minutes=int(data.get("grace") or 0))
        elif data.get("until") is None or data["until"] <= now:
            raise ValidationError({"until": "Choose a moment that is still to come."})
        return data


class HistoryInline(TabularInline):
    """What happened to the key; nobody writes here."""

    model = KeyChange
    fields = ("at", "what", "by_name", "address", "detail")
    readonly_fields = fields
    extra = 0
    max_num = 0
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may see the key."""
        return request.user.has_perm("keys.view_apikey") or request.user.has_perm("keys.change_apikey")


def actor(request: HttpRequest) -> history.Actor:
    """The user of the console, at their address."""
    user = cast(User, request.user)
    return history.Actor(user.get_username(), user, request.enrichment.ip_address)


def curl(url: str, raw_key: str) -> str:
    """A line for a shell that sends a first event with the key."""
    event = json.dumps({"event_name": "items_added", "page_url": "https://shop.example/cart"})
    words = ["curl", "-i", url, "-H", f"Authorization: Bearer {raw_key}"]
    return shlex.join([*words, "-H", "Content-Type: application/json", "-d", event])


def _minutes_left(moment: datetime) -> int:
    return max(0, int((moment - timezone.now()).total_seconds() // 60))


class StateFilter(admin.SimpleListFilter):
    """By the word that the list shows."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The four states."""
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
    actions_detail = ("rotate_key", "extend_key", "revoke_key")
    form = ApiKeyForm
    inlines = (HistoryInline,)

    add_fields = ("partner", "label", "is_test", "expires_at", "tags", "networks")
    change_fields = (
        "label",
        "expires_at",
        "tags",
        "networks",
        "use_of_replaced",
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
        label={
            State.ACTIVE.value: "success",
            State.EXPIRING.value: "info",
            State.EXPIRED.value: "warning",
            State.REVOKED.value: "danger",
        },
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
        """Who has that right; viewing, issuing and changing are others."""
        return request.user.has_perm("keys.revoke_apikey")

    def has_rotate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may issue a key and set when another ends."""
        return request.user.has_perm("keys.add_apikey") and request.user.has_perm("keys.change_apikey")

    @display(description="use of the key in its place before")
    def use_of_replaced(self, key: ApiKey) -> str:
        """Who still uses the key that this one, or the page's own where it was replaced, stands for."""
        old = key if key.replaced_by.exists() else key.replaces
        if old is None:
            return "-"
        hour = timezone.now() - timedelta(hours=1)
        events = old.events.filter(partner=old.partner, received_at__gte=hour)  # type: ignore[attr-defined]  # collect's
        addresses = sorted({str(address) for address in events.values_list("ip_address", flat=True).distinct()[:20]})
        used = f"last used {old.last_used_at:%Y-%m-%d %H:%M} UTC" if old.last_used_at else "never used"
        left = "" if old.expires_at is None else f", {_minutes_left(old.expires_at)} minutes left"
        place = f" from {', '.join(addresses)}" if addresses else ""
        return f"{old.prefix}: {old.state}, {used}; {events.count()} events in the last hour{place}{left}"

    # --- issue ---

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Without the buttons that would leave before the key has been shown."""
        hidden = {"show_save_and_continue": False, "show_save_and_add_another": False}
        response: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **hidden})
        return response

    def save_model(self, request: HttpRequest, obj: ApiKey, form: "ModelForm[ApiKey]", change: bool) -> None:
        """Issue a new key; of an old one write what is editable, and the difference into its history."""
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
        """The only page that ever shows the raw key, whichever button was pressed."""
        return self._issued(request, obj, getattr(request, RAW_KEY))

    def _issued(self, request: HttpRequest, obj: ApiKey, raw_key: str) -> HttpResponse:
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
        """No button that the key's state leaves without a meaning."""
        key = self.get_object(request, object_id)
        actions: list[Any] = super().get_actions_detail(request, object_id)
        if key is None or key.state is State.REVOKED:
            return []
        is_ending = key.is_active() and key.expires_at is not None
        without = set() if key.is_active() else {"rotate_key"}
        without |= set() if is_ending else {"extend_key"}
        return [action for action in actions if action.action_name.rpartition("keys_apikey_")[2] not in without]

    # --- rotate ---

    @action(description="Rotate", url_path="rotate", permissions=["rotate"], icon="autorenew")
    def rotate_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for how long the old key goes on working (GET), then shows the new one (POST)."""
        key = self.get_object(request, object_id)
        if key is None:
            raise Http404
        form = RotateForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                new, raw_key = lifecycle.rotate(key, actor(request), form.cleaned_data["until"])
            except lifecycle.Ended as error:
                self.message_user(request, str(error), messages.ERROR)
                return redirect("admin:keys_apikey_change", key.pk)
            self.log_change(request, key, f"Rotated: {new.prefix}.")
            return self._issued(request, new, raw_key)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Rotate API key",
            "key": key,
            "form": form,
        }
        return TemplateResponse(request, "admin/keys/apikey/rotate.html", context)

    @action(description="Extend by 24 hours", url_path="extend", permissions=["rotate"], icon="more_time")
    def extend_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lets a key that would end work for 24 hours from now; by POST, asked for once more by GET."""
        key = self.get_object(request, object_id)
        if key is None:
            raise Http404
        if request.method != "POST":
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": "Extend API key",
                "key": key,
            }
            return TemplateResponse(request, "admin/keys/apikey/extend.html", context)
        try:
            lifecycle.extend(key, actor(request), timedelta(hours=24))
        except lifecycle.Ended as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.log_change(request, key, "Extended by 24 hours.")
            self.message_user(request, f"Works until {key.expires_at:%Y-%m-%d %H:%M} UTC.", messages.SUCCESS)
        return redirect("admin:keys_apikey_change", key.pk)

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
                if lifecycle.revoke(key, actor(request)):
                    self.log_change(request, key, "Revoked.")
                    revoked += 1
                else:
                    before += 1
        if revoked:
            self.message_user(request, f"Revoked: {revoked}. Refused everywhere within 5 seconds.", messages.SUCCESS)
        if before:
            self.message_user(request, f"Had been revoked before: {before}.", messages.WARNING)
