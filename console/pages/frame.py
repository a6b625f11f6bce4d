"""What the console's own pages share: one view gives a page's data as HTML and, under `.json`, as JSON."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, path
from django.views import View

from console import error_pages
from reporting import ranges
from reporting.ranges import BadRange, Range
from runtime.refusals import Code, Refusal


class DataPage(View):
    """A page whose data is one dict. It renders `template_name` with it; the same address with `.json` returns it.

    `permissions` are the rights of which an operator needs all. `default_range` is what the page looks at where its
    address names no time.
    """

    title = ""
    template_name = ""
    permissions: ClassVar[tuple[str, ...]] = ("collect.view_event",)
    default_range = "24h"
    http_method_names = ["get", "head"]
    # Set by `routes`.
    is_json = False
    _range: Range | None = None

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return what the page shows, as values that JSON knows, dates and moments included. `named` are of the path.

        Raises `BadRange` and `Http404`.
        """
        raise NotImplementedError

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return what the template needs besides `data`, such as forms and charts."""
        return {}

    def get(self, request: HttpRequest, **named: Any) -> HttpResponse:
        """Answer with the page or its data, 400 for a time that is none. Raises PermissionDenied."""
        if not request.user.has_perms(self.permissions):
            raise PermissionDenied
        try:
            data = self.data(request, **named)
        except BadRange as error:
            return error_pages.bad_request(request, Refusal(Code.BAD_REQUEST, str(error)))
        if self.is_json:
            return JsonResponse(data)
        shown = {**admin.site.each_context(request), "title": self.title, **data, **self.context(request, data)}
        return render(request, self.template_name, shown)

    def range(self, request: HttpRequest) -> Range:
        """Return the time that the address names, the same one throughout a request. Raises `BadRange`."""
        if self._range is None:
            self._range = ranges.of_query(request.GET.dict(), self.default_range)
        return self._range


def routes(address: str, page: type[DataPage], name: str) -> list[URLPattern]:
    """Return the routes of a page: `<address>/`, and `<address>.json` for its data."""
    html: Callable[..., HttpResponseBase] = admin.site.admin_view(page.as_view())
    data: Callable[..., HttpResponseBase] = admin.site.admin_view(page.as_view(is_json=True))
    return [path(f"{address}/", html, name=name), path(f"{address}.json", data, name=f"{name}_data")]
