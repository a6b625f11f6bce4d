"""What arrives and what was refused, for an operator to look at. Nothing here can change or remove an event."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from collect.intake.contract import STANDARD_EVENTS
from collect.models import Event, Rejection, RejectionTally
from collect.storage import rows
from collect.storage.outcomes import Outcome
from runtime.display import on_page
from runtime.refusals import Code

# A search reads this much of the newest events, which are together in the primary key; an id is found at any age.
SEARCHED = timedelta(days=7)


def _preformatted(text: str) -> SafeString:
    return format_html('<pre class="verbatim">{}</pre>', on_page(text))


def _json(value: Any) -> SafeString | str:
    return "-" if value is None else _preformatted(json.dumps(value, indent=2, ensure_ascii=False))


def _link(event: UUID | None) -> SafeString | str:
    if event is None:
        return "-"
    address = reverse("admin:collect_event_change", args=[event])
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, event)


class ReadOnlyAdmin(ModelAdmin):
    """A list and a page to look at; counts no rows, since there may be a hundred million."""

    actions = None
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_disable_select_all = True

    class Media:
        css: ClassVar = {"all": ["collect/console.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: rows come in through the API."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: what was sent stays as it was sent."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: retention is a command's."""
        return False


class KindFilter(admin.SimpleListFilter):
    """Events of the taxonomy, apart from custom ones."""

    title = "event"
    parameter_name = "event_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The standard names, by category."""
        return [(name, f"{category} · {name}") for name, category in STANDARD_EVENTS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """The events of the chosen name."""
        return queryset.filter(event_name=self.value()) if self.value() else queryset


class CodeFilter(admin.SimpleListFilter):
    """Why an event was refused, without asking the table which reasons there are."""

    title = "reason"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The codes that a rejection can have."""
        codes = (
            Outcome.CONFLICT,
            Code.INVALID_EVENT,
            Code.INVALID_JSON,
            Code.TOO_LARGE,
            Code.TAG_NOT_ALLOWED,
        )
        more = (Code.UNSUPPORTED_MEDIA_TYPE, Code.UNSUPPORTED_ENCODING)
        return [(code.value, code.value.replace("_", " ")) for code in (*codes, *more)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Rejection]) -> QuerySet[Rejection]:
        """The rejections of the chosen code."""
        return queryset.filter(code=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Events, newest first."""

    list_display = ("received_at", "event_name", "tag_id", "partner", "event_id", "place", "mark")
    list_filter = (KindFilter, "is_test", "partner")
    list_select_related = ("partner",)
    search_fields = ("event_id",)
    search_help_text = "An event's id, or the exact event_id, name, tag, click, session or client of the last 7 days"
    ordering = ("-id",)
    readonly_fields = ("shown_params", "shown_consent", "shown_extra")
    fieldsets: ClassVar = (
        (
            None,
            {
                "fields": (
                    "id",
                    "event_name",
                    "event_id",
                    "tag_id",
                    "timestamp",
                    "shown_params",
                    "shown_extra",
                )
            },
        ),
        ("Sender", {"fields": ("partner", "api_key", "channel", "is_test", "received_at", "ip_address")}),
        (
            "Attribution",
            {
                "fields": (
                    "click_id",
                    "impression_id",
                    "bid_id",
                    "attribution_type",
                    "session_id",
                    "client_id",
                )
            },
        ),
        ("Context", {"fields": ("page_url", "referrer", "user_agent", "shown_consent")}),
        ("Place", {"fields": ("geo_country", "geo_region", "geo_city", "geo_lat", "geo_lon")}),
        (
            "Browser",
            {
                "fields": (
                    "ua_browser",
                    "ua_browser_version",
                    "ua_os",
                    "ua_os_version",
                    "ua_device",
                    "ua_device_brand",
                    "ua_device_model",
                    "ua_is_bot",
                )
            },
        ),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Exact matches only: a search must not read a hundred million rows."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            names = ("event_id", "event_name", "tag_id", "click_id", "session_id", "client_id")
            matches = Q(*((name, term) for name in names), _connector=Q.OR)
            return queryset.filter(matches, pk__gte=rows.uuid7(datetime.now(UTC) - SEARCHED)), False

    @display(description="place")
    def place(self, event: Event) -> str:
        """City and country, as far as known."""
        return ", ".join(filter(None, (event.geo_city, event.geo_country))) or "-"

    @display(description="kind", label={"test": "warning", "bot": "info"})
    def mark(self, event: Event) -> str:
        """Whether it is a test or a bot."""
        return "test" if event.is_test else "bot" if event.ua_is_bot else "live"

    @display(description="params")
    def shown_params(self, event: Event) -> SafeString | str:
        """The free-form properties, as JSON."""
        return _json(event.params)

    @display(description="consent")
    def shown_consent(self, event: Event) -> SafeString | str:
        """The consent flags, as JSON."""
        return _json(event.consent)

    @display(description="extra")
    def shown_extra(self, event: Event) -> SafeString | str:
        """The keys that the contract does not name, as JSON."""
        return _json(event.extra)


@admin.register(Rejection)
class RejectionAdmin(ReadOnlyAdmin):
    """What was refused, when, to whom and why."""

    list_display = ("received_at", "partner", "reason", "detail", "request_id")
    list_filter = (CodeFilter, "partner")
    list_select_related = ("partner",)
    search_fields = ("=request_id",)
    search_help_text = "The request id, as the sender saw it"
    ordering = ("-received_at", "-id")
    readonly_fields = ("shown_detail", "shown_errors", "shown_body", "first_event", "replayed")
    fields = (
        "id",
        "received_at",
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
        """The code."""
        return rejection.code

    @display(description="detail")
    def shown_detail(self, rejection: Rejection) -> SafeString:
        """What the sender was told."""
        return _preformatted(rejection.detail)

    @display(description="faults")
    def shown_errors(self, rejection: Rejection) -> SafeString | str:
        """Each field at fault; of a conflict, each that differs from the stored event."""
        return _preformatted("\n".join(f"{name}: {', '.join(messages)}" for name, messages in rejection.errors.items()))

    @display(description="stored event")
    def first_event(self, rejection: Rejection) -> SafeString | str:
        """A link to the event that a conflicting one collided with."""
        return _link(rejection.event)

    @display(description="replayed as")
    def replayed(self, rejection: Rejection) -> SafeString | str:
        """A link to the event that it became by `replay_rejections`."""
        return _link(rejection.replayed_as)

    @display(description="body")
    def shown_body(self, rejection: Rejection) -> SafeString:
        """The body as far as it was kept; bytes that are not text show as replacement characters."""
        return _preformatted(bytes(rejection.body).decode(errors="replace"))


@admin.register(RejectionTally)
class RejectionTallyAdmin(ReadOnlyAdmin):
    """How many rejections a key had in an hour, also beyond those that were kept."""

    list_display = ("hour", "api_key", "seen", "kept")
    list_select_related = ("api_key",)
    ordering = ("-hour", "-seen")
