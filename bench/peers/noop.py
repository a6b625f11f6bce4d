"""`noop`: an empty DRF view on our gunicorn and settings, trimmed as people trim them: the ceiling of the stack.

`noop_short` is the same nothing on the short road that our own endpoints take through Django, which is shorter
than any trimming of the view: the ceiling of our own making.
"""

from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from collect.views import SenderRequest, SenderView


class NoNegotiation(BaseContentNegotiation):
    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class NoopView(APIView):
    authentication_classes = []
    parser_classes = []
    content_negotiation_class = NoNegotiation

    def post(self, request: Request) -> HttpResponse:
        return HttpResponse(status=204)


class NoAuthentication(BaseAuthentication):
    """Lets everybody in, as the holder of a key of which nobody wants a copy."""

    _key = SimpleNamespace(capture_left=0)

    def authenticate(self, request: HttpRequest | Request) -> tuple[None, Any]:
        return None, self._key


class ShortNoopView(SenderView):
    authentication_classes = [NoAuthentication]

    def post(self, request: SenderRequest) -> HttpResponse:
        return HttpResponse(status=204)


urlpatterns = [path("api/collect", NoopView.as_view()), path("short/api/collect", ShortNoopView.as_view())]
