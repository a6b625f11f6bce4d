"""The parts that the read-only pages share. Nothing on them changes a row, and what senders wrote is shown as text."""

import json
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from console.admin.pages import Page
from runtime.display import on_page


def preformatted(text: str) -> SafeString:
    """Return the text as it stands, with HTML escaped and direction marks spelled out."""
    return format_html('<pre class="verbatim">{}</pre>', on_page(text))


def as_json(value: Any) -> SafeString | str:
    """Return a value as indented JSON; `-` for None."""
    return "-" if value is None else preformatted(json.dumps(value, indent=2, ensure_ascii=False))


def link_to_event(event: UUID | None) -> SafeString | str:
    """Return a link to the page of the event with this id; `-` for None."""
    if event is None:
        return "-"
    address = reverse("admin:collect_event_change", args=[event])
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, event)


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


class LargeTableAdmin(ReadOnlyAdmin):
    """A read-only list that counts no rows, since there may be a hundred million."""

    actions = None
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_disable_select_all = True

    class Media:
        css: ClassVar = {"all": ["console/console.css"]}
