"""Django's error handlers: a page for a person in the console, the JSON shape for everybody else."""

from contextlib import suppress

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import DisallowedHost
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve

from collect import turned_away
from collect.captures import keeping as captures
from collect.storage import spool
from collect.storage.ledger.tally import Endpoint
from collect.storage.spool import SpoolStatus
from console import policy
from runtime.answers import as_refusal, respond
from runtime.refusals import STATUS, Code, Refusal, Unavailable


def _page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Return a page for a person in the console, and the JSON shape for everybody else."""
    answer = respond(request, refusal)
    if request.path.startswith("/admin/") and not request.path.endswith(".json"):
        answer.content = _content(request, refusal)
        answer["Content-Type"] = "text/html; charset=utf-8"
        # What is refused before the console's middleware does not pass through it.
        policy.protect(answer)
    return answer


def _content(request: HttpRequest, refusal: Refusal) -> str:
    """Return the page in the console's frame, or bare for a visitor and where the database has failed."""
    context = {"refusal": refusal, "title": refusal.detail, "request": request, "outage": _outage(refusal)}
    with suppress(DatabaseError):
        # A request can be refused before Django looks who sent it.
        if hasattr(request, "user") and admin.site.has_permission(request):
            framed = {**admin.site.each_context(request), **context, "layout": "admin/base_site.html"}
            return render_to_string("error.html", framed, request)
    return render_to_string("error.html", {**context, "layout": "bare.html"})


def _outage(refusal: Refusal) -> dict[str, SpoolStatus | None] | None:
    """Return what waits in the spool of this machine while a database that has a spool does not answer.

    None if it answers, or has none.
    """
    if refusal.code is not Code.UNAVAILABLE or not spool.is_enabled():
        return None
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return None
    connection.close()
    with suppress(DatabaseError):
        return {"spool": spool.status()}
    return {"spool": None}


def locked_out(request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
    """Return the page with which django-axes answers a log-in that was tried too often."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    context = {**admin.site.each_context(request), "minutes": minutes, "title": "Too many attempts to log in"}
    response = render(request, "admin/locked.html", context, status=STATUS[Code.RATE_LIMITED])
    response["Retry-After"] = str(minutes * 60)
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer as Django's CSRF_FAILURE_VIEW, with the likely cause: the proxy in front, cookies, or an old form."""
    refusal = Refusal(Code.FORBIDDEN, "The form was not accepted")
    if not request.path.startswith("/admin/"):
        return respond(request, refusal)
    is_elsewhere = reason.startswith(("Origin checking failed", "Referer checking failed"))
    context = {
        **admin.site.each_context(request),
        "title": refusal.detail,
        "cause": "origin" if is_elsewhere else "cookie" if reason == REASON_NO_CSRF_COOKIE else "token",
        "origin": request.headers.get("Origin") or request.headers.get("Referer"),
        "address": f"{request.scheme}://{request.get_host()}",
    }
    return render(request, "admin/csrf.html", context, status=refusal.status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer as Django's handler400: a host that is not ours, too many fields, a malformed path.

    What is not there is not there under any host. A sender with a slip in the path would else look for its fault in
    the host, which is not checked where senders are served.
    """
    if isinstance(exception, DisallowedHost) and not (_is_there(request.path) or _is_there(f"{request.path}/")):
        return not_found(request, exception)
    return _page(request, as_refusal(exception))


def _is_there(path: str) -> bool:
    with suppress(Resolver404):
        return bool(resolve(path))
    return False


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer as Django's handler403."""
    return _page(request, as_refusal(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer as Django's handler404. A key that was sent to an address that is none is counted."""
    refusal = Refusal(Code.NOT_FOUND, "Not found")
    turned_away.note(request, Endpoint.OTHER, refusal)
    recording = captures.begin_refused(request, refusal)
    answer = _page(request, refusal)
    if recording is not None:
        captures.end(recording, answer)
    return answer


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer as Django's handler500: our own failure is a 503, to be tried again. Django has logged the exception."""
    return _page(request, Unavailable())
