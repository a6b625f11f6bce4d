"""Events in the console. Nothing here can change or remove one."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import modelform_factory
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.decorators import display

from collect.enrichment import bots
from collect.intake.contract import STANDARD_EVENTS
from collect.models import Event
from collect.storage.repetition import JSON_COLUMNS
from console.admin import event_page
from console.admin.read_only import LargeTableAdmin, ValueFilter, as_json, moment
from reporting import search
from reporting.events import finding, one_event
from runtime.display import exact

RECEIVED = moment("received_at", "received")
# On the page of an event, exactly.
RECEIVED_AT, HAPPENED_AT = moment("received_at", "received", exact), moment("timestamp", "timestamp", exact)


# What the page of an event calls its columns, where it is not what the contract calls them.
LABELS = {
    "api_key": "API key",
    "is_test": "Test",
    "ip_address": "IP address",
    "page_url": "Page URL",
    "geo_country": "Country",
    "geo_region": "Region",
    "geo_city": "City",
    "geo_lat": "Latitude",
    "geo_lon": "Longitude",
    "ua_browser": "Browser",
    "ua_browser_version": "Browser version",
    "ua_os": "Operating system",
    "ua_os_version": "System version",
    "ua_device": "Device",
    "ua_device_brand": "Device brand",
    "ua_device_model": "Device model",
    "ua_is_bot": "Bot",
    "ua_bot_reason": "Kind of machine",
}


class KindFilter(ValueFilter):
    """Filters by a standard event of the taxonomy; custom events are not offered."""

    title = "event"
    parameter_name = "event_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the standard names, each with its category."""
        return [(name, f"{category} · {name}") for name, category in STANDARD_EVENTS.items()]


class BotFilter(ValueFilter):
    """Filters by what made the user agent a machine's."""

    title = "machine"
    parameter_name = "ua_bot_reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the reasons; Django's own filter would read the whole table for them."""
        return [(reason, reason.replace("_", " ")) for reason in bots.REASONS]


class TestFilter(admin.BooleanFieldListFilter):
    """Filters by whether an event came with a test key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take Django's arguments, and give the filter a name instead of its column's."""
        super().__init__(*args, **kwargs)
        self.title = "test event"


@admin.register(Event)
class EventAdmin(LargeTableAdmin):
    """Events, newest first."""

    form = modelform_factory(Event, fields=(), labels=LABELS)
    list_display = (RECEIVED, "event_name", "tag_id", "partner", "event_id", "place", "mark")
    list_filter = (KindFilter, ("is_test", TestFilter), BotFilter, "partner")
    list_select_related = ("partner",)
    search_fields = ("event_id",)
    search_help_text = "An exact id: of the event, click, impression, bid, session, client or order; of any age"
    change_form_outer_before_template = "admin/collect/event/before.html"
    change_form_outer_after_template = "admin/collect/event/after.html"
    ordering = ("-id",)
    # No column has an index of its own over all partners.
    sortable_by = ()
    readonly_fields = (RECEIVED_AT, HAPPENED_AT, "shown_params", "shown_consent", "shown_extra")
    fieldsets: ClassVar = (
        (
            None,
            {
                "fields": (
                    "id",
                    "event_name",
                    "event_id",
                    "tag_id",
                    HAPPENED_AT,
                    "shown_params",
                    "shown_extra",
                )
            },
        ),
        ("Sender", {"fields": ("partner", "api_key", "channel", "is_test", RECEIVED_AT, "ip_address")}),
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
                    "ua_bot_reason",
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """Return the events without their JSON columns, which no list shows."""
        queryset: QuerySet[Event] = super().get_queryset(request)
        return queryset.defer(*JSON_COLUMNS)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Event | None:
        """Return the event with its JSON columns as text: decoded, 58.00 would become 58.0."""
        event: Event | None = super().get_object(request, object_id, from_field)
        if event is not None:
            vars(event)["texts"] = one_event.texts_of(event.pk)
        return event

    def get_urls(self) -> list[URLPattern]:
        """Return the pages of the events, and the data of an event's page."""
        view = self.admin_site.admin_view(self.data_view)
        urls: list[URLPattern] = super().get_urls()
        return [path("<path:object_id>/change.json", view, name="collect_event_data"), *urls]

    def data_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return what the page of the event shows as JSON. Raises Http404 and PermissionDenied."""
        event: Any = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, event):
            raise PermissionDenied
        if event is None:
            raise Http404
        data = event_page.as_json(request, event, event.texts)
        return HttpResponse(data, content_type="application/json")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the event, why it came out so, how it was sent, and what belongs to it."""
        event: Any = self.get_object(request, unquote(object_id))
        extra = extra_context or {}
        if event is not None and self.has_view_permission(request, event):
            extra |= event_page.shown(request, event, event.texts)
        response: HttpResponse = super().change_view(request, object_id, form_url, extra)
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Return the newest events that have the text as an id, and say what could not be searched."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = finding.find(finding.Wanted(term, limit=finding.CANDIDATES))
        for sentence in search.limits(found.coverage):
            self.message_user(request, f"{sentence}.", messages.WARNING)
        if found.has_more:
            self.message_user(request, "Only the newest events that have it are shown.", messages.WARNING)
        id = search.as_uuid(term)
        return queryset.filter(pk__in=[hit.id for hit in found.hits] + ([] if id is None else [id])), False

    @display(description="place")
    def place(self, event: Event) -> str:
        """Return the city and country, as far as they are known."""
        return ", ".join(filter(None, (event.geo_city, event.geo_country))) or "-"

    @display(description="kind", label={"test": "warning", "bot": "info", **dict.fromkeys(bots.REASONS, "info")})
    def mark(self, event: Event) -> str:
        """Return `test`, what kind of bot it is, or `live`."""
        return "test" if event.is_test else (event.ua_bot_reason or "bot") if event.ua_is_bot else "live"

    @display(description="params")
    def shown_params(self, event: Any) -> SafeString | str:
        """Return the free-form properties as JSON."""
        return as_json(event.texts.params)

    @display(description="consent")
    def shown_consent(self, event: Any) -> SafeString | str:
        """Return the consent flags as JSON."""
        return as_json(event.texts.consent)

    @display(description="extra")
    def shown_extra(self, event: Any) -> SafeString | str:
        """Return the keys that the contract does not name, as JSON."""
        return as_json(event.texts.extra)
