"""The parts that the read-only pages share. Nothing on them changes a row, and what senders wrote is shown as text."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from console.admin.pages import Page
from reporting import pretty
from runtime.display import millisecond, number

CUT = f"Only its first {number(pretty.SHOWN)} characters are shown. The page's JSON (change.json) has all of it."


def preformatted(text: str) -> SafeString:
    """Return the text as it stands, with HTML escaped; the middleware spells out its direction marks."""
    return format_html('<pre class="verbatim">{}</pre>', text)


def as_json(text: str | None) -> SafeString | str:
    """Return a JSON text as far as a page shows it, with each number as it was sent; `-` for None."""
    if text is None:
        return "-"
    shown, is_cut = pretty.cut(pretty.indented(text.encode()))
    return preformatted(shown) + format_html("<p>{}</p>", CUT) if is_cut else preformatted(shown)


def moment(field: str, label: str, text: Callable[[datetime | None], str] = millisecond) -> Callable[[Any], SafeString]:
    """Return a column with the moment that the field has, under this label."""

    @display(description=label, ordering=field)
    def shown(row: Any) -> SafeString:
        return format_html('<span class="whitespace-nowrap">{}</span>', text(getattr(row, field)))

    shown.__name__ = field
    column: Callable[[Any], SafeString] = shown
    return column


def link_to_event(event: UUID | None) -> SafeString | str:
    """Return a link to the page of the event with this id; `-` for None."""
    if event is None:
        return "-"
    address = reverse("admin:collect_event_change", args=[event])
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, event)


class ValueFilter(admin.SimpleListFilter):
    """Filters by the value of the column that the parameter is called after. A subclass has the choices."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows with the chosen value."""
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset

    def get_facet_counts(self, pk_attname: str, filtered_qs: QuerySet[Any]) -> dict[str, Any]:
        """Return what counts the rows of each choice in one pass; Django's own reads the table once for each."""
        return {
            f"{number}__c": Count(pk_attname, filter=Q(**{str(self.parameter_name): value}))
            for number, (value, _) in enumerate(self.lookup_choices)
        }


class ReadOnlyAdmin(Page):
    """A list and a page on which nothing can be changed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: rows come in as things happen."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: what happened stays as it was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False: only retention deletes rows, which is a command's work."""
        return False

    def has_history(self, request: HttpRequest, object_id: str) -> bool:
        """Return False: nobody changes a row here, so that there is nothing to tell."""
        return False

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Raise Http404: no such page is linked."""
        raise Http404


class LargeTableAdmin(ReadOnlyAdmin):
    """A read-only list of a table that may have a hundred million rows: it counts few of them, and sorts by indexes."""

    # How many of the newest rows "Show counts" looks at.
    counted_rows = 100_000
    actions = None
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_disable_select_all = True
