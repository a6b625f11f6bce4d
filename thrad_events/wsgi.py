"""The WSGI application that gunicorn serves, with a short road for the endpoints that senders call.

These endpoints have no use for sessions, CSRF, messages or static files. Django's signals around a request look for
database connections, which these endpoints do not have. Together this would be more work than the event itself. They
run with the three middlewares that they need, and otherwise as Django would serve them (docs/decisions/0004).
"""

import os
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver

from thrad_events.start import refuse_unusable_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "thrad_events.settings")

# Both have to come before anything is imported from the apps.
refuse_unusable_settings()
django.setup(set_prefix=False)

from collect.enrichment.middleware import EnrichmentMiddleware  # noqa: E402
from collect.views import SenderView  # noqa: E402
from runtime.addresses import ClientAddressMiddleware  # noqa: E402
from runtime.request_id import RequestIdMiddleware  # noqa: E402

View = Callable[[HttpRequest], HttpResponse]


_django = WSGIHandler()


def _sender_views(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, View]]:
    """Yield the path and the view of each URL that senders call."""
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _sender_views(pattern, path)
        elif isinstance(pattern, URLPattern) and issubclass(getattr(pattern.callback, "cls", object), SenderView):
            yield path, pattern.callback


_views: dict[str, View] = dict(_sender_views(get_resolver(), "/"))


def _dispatch(request: HttpRequest) -> HttpResponse:
    return _views[request.path_info](request)


_serve: View = RequestIdMiddleware(ClientAddressMiddleware(EnrichmentMiddleware(_dispatch)))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve a request: a sender's on the short road, any other through Django's handler."""
    if environ["PATH_INFO"] not in _views:
        return _django(environ, start_response)
    response = _serve(WSGIRequest(environ))
    if response.status_code != HTTPStatus.NO_CONTENT:
        response.headers["Content-Length"] = str(len(response.content))
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    # The bytes and not the response, because its `close` would send Django's signal.
    return [response.content]
