"""Captures: ordering them, looking at one, and its raw body. Whoever looks is noted in the key's history.

What was captured is hostile: it is shown as text, and leaves only as a file that no browser opens.
"""

import shlex
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET, require_POST

from collect.captures.recording import REMOVED
from collect.models import Capture
from console.admin.captures import CaptureForm
from console.admin.key_steps import actor
from console.pages.frame import DataPage, routes
from keys import history, lifecycle
from keys.models import ApiKey, KeyChange
from reporting import captures
from runtime import display

# A body that is longer is sent from the file that can be downloaded, not from the line of a shell.
MAX_IN_LINE = 16 * 1024
# What curl says by itself, or what belongs to the connection.
_OF_CURL = frozenset(("Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect"))
_PLACEHOLDER = "Authorization: Bearer $KEY"


def curl(capture: Capture, address: str) -> str:
    """Return a command that sends the request once more to `address`, with `$KEY` in the place of the key."""
    # A sender may have put brackets or dots into the address, which curl would read or take out.
    words = ["curl", "-i", "-g", "--path-as-is", "-X", capture.method, address + capture.path]
    for name, value in capture.headers:
        if name not in _OF_CURL and value != REMOVED:
            words += ["-H", f"{name}: {value}"]
    body = bytes(capture.body)
    text = captures.as_text(body) if len(body) <= MAX_IN_LINE else None
    if text is not None and text.encode() == body and display.on_page(text) == text:
        words += ["--data-raw", text] if text else []
    else:
        words += ["--data-binary", f"@{_file_name(capture)}"]
    # In double quotes, so that the shell puts the key in.
    return f'{shlex.join(words)} -H "{_PLACEHOLDER}"'


def _file_name(capture: Capture) -> str:
    return f"capture-{capture.pk}.bin"


def _open(request: HttpRequest, number: int, what: str) -> Capture:
    """Return the capture, and note who looks at it. Raises PermissionDenied and Http404."""
    if not request.user.has_perm("collect.view_capture"):
        raise PermissionDenied
    if number > 2**63 - 1:
        raise Http404
    capture = get_object_or_404(Capture.objects.select_related("api_key", "partner"), pk=number)
    detail = f"{what} {capture.pk}, request {capture.request_id}"
    history.record(capture.api_key, KeyChange.What.CAPTURE, actor(request), detail)
    return capture


class CapturePage(DataPage):
    """One request as it came, and its answer."""

    title = "Captured request"
    template_name = "admin/captures/capture.html"
    permissions: ClassVar[tuple[str, ...]] = ("collect.view_capture",)

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return all of the capture. Raises Http404."""
        capture = _open(request, named["number"], "opened capture")
        address = request.build_absolute_uri("/").rstrip("/")
        return {"capture": {**captures.one(capture), "curl": curl(capture, address)}}


@require_GET
def body(request: HttpRequest, number: int) -> HttpResponse:
    """Answer with the raw body, as a file. Raises PermissionDenied and Http404."""
    capture = _open(request, number, "downloaded the body of capture")
    return HttpResponse(
        bytes(capture.body),
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{_file_name(capture)}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def _key(request: HttpRequest, number: int) -> ApiKey:
    """Return the key. Raises PermissionDenied where the user may order no capture, and Http404."""
    if not request.user.has_perm("collect.capture_requests"):
        raise PermissionDenied
    if number > 2**63 - 1:
        raise Http404
    return get_object_or_404(ApiKey, pk=number)


def _back(request: HttpRequest, key: ApiKey) -> HttpResponse:
    return redirect(f"{reverse('admin:keys_apikey_change', args=[key.pk])}#capture")


@require_POST
def order(request: HttpRequest, number: int) -> HttpResponse:
    """Have the next requests of a key kept. Raises PermissionDenied and Http404."""
    key, form = _key(request, number), CaptureForm(request.POST)
    if form.is_valid():
        lifecycle.capture(key, actor(request), form.cleaned_data["requests"])
        told = f"The next {form.cleaned_data['requests']} requests are kept. Servers follow within 5 seconds."
        messages.success(request, told)
    else:
        messages.error(request, f"The number of requests is 1 to {lifecycle.MAX_CAPTURED}.")
    return _back(request, key)


@require_POST
def stop(request: HttpRequest, number: int) -> HttpResponse:
    """Keep no more requests of a key. Raises PermissionDenied and Http404."""
    key = _key(request, number)
    if lifecycle.stop_capture([key.pk], actor(request)):
        messages.success(request, "No more requests are kept.")
    else:
        messages.warning(request, "Nothing was being kept any more.")
    return _back(request, key)


# `admin_view` says of each of them that no cache may keep it.
urlpatterns: list[URLPattern] = [
    *routes("captures/<int:number>", CapturePage, "capture"),
    path("captures/<int:number>/body", admin.site.admin_view(body), name="capture_body"),
    path("captures/of-key/<int:number>/order", admin.site.admin_view(order), name="capture_order"),
    path("captures/of-key/<int:number>/stop", admin.site.admin_view(stop), name="capture_stop"),
]
