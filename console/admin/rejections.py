"""Rejections in the console: what was refused, when, to whom and why."""

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.forms import modelform_factory
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from collect.models import Rejection, RejectionGroup, RejectionTally
from collect.storage.outcomes import Outcome
from console.admin.key_steps import ID
from console.admin.read_only import LargeTableAdmin, ValueFilter, link_to_event, moment, preformatted
from keys.models import ApiKey
from reporting.rejections import conflicts
from runtime.refusals import Code

# Keys that the filter lists.
KEYS = 100
RECEIVED = moment("received_at", "received")


class CodeFilter(ValueFilter):
    """Filters by the reason. The choices are fixed, so that the table is not asked which reasons it has."""

    title = "reason"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the codes that a rejection can have."""
        codes = (
            Outcome.CONFLICT,
            Code.INVALID_EVENT,
            Code.INVALID_JSON,
            Code.TOO_LARGE,
            Code.TAG_NOT_ALLOWED,
        )
        more = (Code.TIMEOUT, Code.UNSUPPORTED_MEDIA_TYPE, Code.UNSUPPORTED_ENCODING)
        return [(code.value, code.value.replace("_", " ")) for code in (*codes, *more)]


class GroupFilter(ValueFilter):
    """Filters by the group that an address names, as the pages of groups do; there is no list of all groups."""

    title = "group"
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the group that is chosen. Nothing is shown where none is."""
        chosen = request.GET.get("group", "")
        group = RejectionGroup.objects.filter(pk=int(chosen)).first() if ID.fullmatch(chosen) else None
        return [(chosen, str(group))] if group else []


class KeyFilter(ValueFilter):
    """Filters by the key: those of the chosen partner or, of all, the newest."""

    title = "API key"
    parameter_name = "api_key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the keys, with that which is chosen; to whoever may not see keys, that alone and by its number."""
        chosen, partner = (request.GET.get(name, "") for name in ("api_key", "partner__id__exact"))
        if not request.user.has_perm("keys.view_apikey"):
            return [(chosen, f"key {chosen}")] if ID.fullmatch(chosen) else []
        keys = ApiKey.objects.order_by("-pk")
        found = list((keys.filter(partner=int(partner)) if ID.fullmatch(partner) else keys)[:KEYS])
        if ID.fullmatch(chosen) and int(chosen) not in {key.pk for key in found}:
            found += keys.filter(pk=int(chosen))
        return [(str(key.pk), f"{key.label} ({key.prefix})") for key in found]


@admin.register(Rejection)
class RejectionAdmin(LargeTableAdmin):
    """What was refused, when, to whom and why."""

    form = modelform_factory(Rejection, fields=(), labels={"api_key": "API key", "code": "Reason"})
    list_display = (RECEIVED, "partner", "reason", "detail", "request_id")
    list_filter = (CodeFilter, "partner", KeyFilter, GroupFilter)
    list_select_related = ("partner",)
    search_fields = ("=request_id",)
    search_help_text = "The request id, as the sender saw it"
    ordering = ("-received_at", "-id")
    sortable_by = (RECEIVED,)
    readonly_fields = (
        RECEIVED, "shown_detail", "shown_errors", "shown_body", "first_event", "replayed", "cause", "comparison",
    )  # fmt: skip
    fields = (
        "id",
        RECEIVED,
        "partner",
        "api_key",
        "code",
        "cause",
        "shown_detail",
        "shown_errors",
        "first_event",
        "comparison",
        "replayed",
        "request_id",
        "user_agent",
        "content_type",
        "body_size",
        "shown_body",
    )

    @display(
        description="reason",
        label={"conflict": "warning", "invalid_event": "danger", "invalid_json": "danger"},
    )
    def reason(self, rejection: Rejection) -> str:
        """Return the code."""
        return rejection.code

    @display(description="detail")
    def shown_detail(self, rejection: Rejection) -> SafeString:
        """Return what the sender was told."""
        return preformatted(rejection.detail)

    @display(description="faults")
    def shown_errors(self, rejection: Rejection) -> SafeString | str:
        """Return each field at fault; for a conflict, each that differs from the stored event."""
        return preformatted("\n".join(f"{name}: {', '.join(messages)}" for name, messages in rejection.errors.items()))

    @display(description="stored event")
    def first_event(self, rejection: Rejection) -> SafeString | str:
        """Return a link to the stored event that a conflicting one collided with."""
        return link_to_event(rejection.event)

    @display(description="group")
    def cause(self, rejection: Rejection) -> SafeString | str:
        """Return a link to the page of the rejections that have the same cause."""
        if rejection.group is None:
            return "before grouping"
        address = reverse("console:rejection_group", args=[rejection.group.pk])
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, rejection.group
        )

    @display(description="both events")
    def comparison(self, rejection: Rejection) -> SafeString | str:
        """Return the stored event and the conflicting one, leaf by leaf."""
        found = conflicts.conflict_of(rejection)
        if found is None:
            return "-"
        later = f"{abs(found.gap)} {'after' if found.gap >= timedelta(0) else 'before'} the first"
        context = {"conflict": found, "gap": later, "keys": (found.stored_key, found.sent_key)}
        return render_to_string("admin/console/conflict.html", context)

    def get_fields(self, request: HttpRequest, obj: Rejection | None = None) -> Any:
        """Return the fields; the comparison only where there are two events, and for whoever may see the stored one."""
        fields = super().get_fields(request, obj)
        is_compared = obj is not None and obj.event is not None and request.user.has_perm("collect.view_event")
        return [name for name in fields if name != "comparison" or is_compared]

    class Media:
        css: ClassVar = {"all": ["console/console.css", "console/rejections.css"]}

    @display(description="replayed as")
    def replayed(self, rejection: Rejection) -> SafeString | str:
        """Return a link to the event that `replay_rejections` made of it."""
        return link_to_event(rejection.replayed_as)

    @display(description="body")
    def shown_body(self, rejection: Rejection) -> SafeString:
        """Return the body as far as it was kept; bytes that are not text become replacement characters."""
        return preformatted(bytes(rejection.body).decode(errors="replace"))


@admin.register(RejectionTally)
class RejectionTallyAdmin(LargeTableAdmin):
    """How many rejections a key had in an hour, including those that were not kept."""

    list_display = ("hour", "key", "seen", "kept")
    readonly_fields = fields = list_display
    list_select_related = ("api_key",)
    ordering = ("-hour", "-seen")
    sortable_by = ()

    @display(description="API key")
    def key(self, tally: RejectionTally) -> ApiKey:
        """Return the key, under the name that it has everywhere."""
        return tally.api_key
