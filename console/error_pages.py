"""Django's error handlers: a page for a person in the console, the JSON shape for everybody else."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from runtime.answers import as_refusal, respond
from runtime.refusals import STATUS, Code, Refusal, Unavailable


def _page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """A person in the console gets a page, everybody else the JSON shape."""
    if request.path.startswith("/admin/"):
        context = {**admin.site.each_context(request), "refusal": refusal, "title": refusal.detail}
        return render(request, "error.html", context, status=refusal.status)
    return respond(request, refusal)


def locked_out(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    """What django-axes answers to a log-in that was tried too often."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    context = {**admin.site.each_context(request), "minutes": minutes, "title": "Too many attempts to log in"}
    response = render(request, "admin/locked.html", context, status=STATUS[Code.RATE_LIMITED])
    response["Retry-After"] = str(minutes * 60)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a host that is not ours, too many fields, a malformed path."""
    return _page(request, as_refusal(exception))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return _page(request, as_refusal(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return _page(request, Refusal(Code.NOT_FOUND, "Not found"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: our own failure is a 503 that can be tried again (Django has logged the exception)."""
    return _page(request, Unavailable())
