"""Rejections in the console: what was refused, when, to whom and why."""

from typing import Any

from django.contrib import admin
from django.forms import modelform_factory
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from collect.models import Rejection, RejectionTally
from collect.storage.outcomes import Outcome
from console.admin.read_only import LargeTableAdmin, ValueFilter, link_to_event, moment, preformatted
from keys.models import ApiKey
from runtime.refusals import Code

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


@admin.register(Rejection)
class RejectionAdmin(LargeTableAdmin):
    """What was refused, when, to whom and why."""

    form = modelform_factory(Rejection, fields=(), labels={"api_key": "API key", "code": "Reason"})
    list_display = (RECEIVED, "partner", "reason", "detail", "request_id")
    list_filter = (CodeFilter, "partner")
    list_select_related = ("partner",)
    search_fields = ("=request_id",)
    search_help_text = "The request id, as the sender saw it"
    ordering = ("-received_at", "-id")
    sortable_by = (RECEIVED,)
    readonly_fields = (RECEIVED, "shown_detail", "shown_errors", "shown_body", "first_event", "replayed")
    fields = (
        "id",
        RECEIVED,
        "partner",
        "api_key",
        "code",
        "shown_detail",
        "shown_errors",
        "first_event",
        "replayed",
        "request_id",
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
