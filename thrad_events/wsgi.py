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


def _sender_views(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, SenderView]]:
    """Yield the path and a view of each URL that senders call. It keeps nothing of a request, and serves them all."""
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _sender_views(pattern, path)
        elif isinstance(pattern, URLPattern) and issubclass(getattr(pattern.callback, "cls", object), SenderView):
            yield path, pattern.callback.cls()  # type: ignore[attr-defined]  # DRF puts it there


class BareRequest(WSGIRequest):
    """Django's request as far as senders' views look at one. Its body is read from the environment."""

    def __init__(self, environ: dict[str, Any]) -> None:
        """Set what those views and the middlewares read, and leave out Django's other work: the path is one of ours."""
        self.META = environ
        self.method = environ["REQUEST_METHOD"].upper()
        self.path_info = environ["PATH_INFO"]
        self.path = environ["SCRIPT_NAME"].rstrip("/") + self.path_info
        # Its parameters are nobody's business here, and Django's reading of them fails at an unknown charset.
        self.content_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()


class Application:
    """The WSGI application."""

    def __init__(self) -> None:
        self._django = WSGIHandler()
        self._views = dict(_sender_views(get_resolver(), "/"))
        self._serve: View = RequestIdMiddleware(ClientAddressMiddleware(EnrichmentMiddleware(self._dispatch)))
        # What a worker may serve without gunicorn's reader (runtime/gunicorn/connection.py).
        self.plain_paths = frozenset(self._views)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request: a sender's on the short road, any other through Django's handler."""
        if environ["PATH_INFO"] not in self._views:
            return self._django(environ, start_response)
        response = self._serve(BareRequest(environ))
        if response.status_code != HTTPStatus.NO_CONTENT:
            response.headers["Content-Length"] = str(len(response.content))
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        # The bytes and not the response, because its `close` would send Django's signal.
        return [response.content]

    def _dispatch(self, request: HttpRequest) -> HttpResponse:
        return self._views[request.path_info].dispatch(request)


application = Application()
