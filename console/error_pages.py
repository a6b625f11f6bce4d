"""Django's error handlers: a page for a person in the console, the JSON shape for everybody else."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from runtime.answers import as_refusal, respond
from runtime.refusals import STATUS, Code, Refusal, Unavailable


def _page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Return a page for a person in the console, and the JSON shape for everybody else."""
    if request.path.startswith("/admin/"):
        context = {**admin.site.each_context(request), "refusal": refusal, "title": refusal.detail}
        return render(request, "error.html", context, status=refusal.status)
    return respond(request, refusal)


def locked_out(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    """Return the page with which django-axes answers a log-in that was tried too often."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    context = {**admin.site.each_context(request), "minutes": minutes, "title": "Too many attempts to log in"}
    response = render(request, "admin/locked.html", context, status=STATUS[Code.RATE_LIMITED])
    response["Retry-After"] = str(minutes * 60)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer as Django's handler400: a host that is not ours, too many fields, a malformed path."""
    return _page(request, as_refusal(exception))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer as Django's handler403."""
    return _page(request, as_refusal(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer as Django's handler404."""
    return _page(request, Refusal(Code.NOT_FOUND, "Not found"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer as Django's handler500: our own failure is a 503, to be tried again. Django has logged the exception."""
    return _page(request, Unavailable())
