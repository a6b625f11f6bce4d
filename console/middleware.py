"""What holds for every page of the console: headers, a 400 for what cannot be read, and text that shows what it is."""

import logging
from collections.abc import Callable
from urllib.parse import unquote

from django.core.paginator import InvalidPage
from django.db import DataError
from django.http import HttpRequest, HttpResponse

from console import error_pages, policy
from runtime import display
from runtime.refusals import Code, Refusal

logger = logging.getLogger(__name__)

NUL = "The address has the character U+0000, which no text here can have."
UNREADABLE = "The address has a value that cannot be looked for."


class ConsoleMiddleware:
    """Stands around the pages below /admin/ and nothing else.

    It stands inside of what finds the user, whom an error page shows, and around axes, whose answers are pages too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the page with its headers, and the marks in it spelled out."""
        if not request.path.startswith("/admin/"):
            return self.get_response(request)
        if "\0" in request.path + unquote(request.META.get("QUERY_STRING", "")):
            return error_pages.bad_request(request, Refusal(Code.BAD_REQUEST, NUL))
        response = self.get_response(request)
        policy.protect(response)
        kind = response.headers.get("Content-Type", "")
        if not response.streaming and kind.startswith("text/html"):
            response.content = display.on_page(response.content.decode())
        elif not response.streaming and kind.startswith("application/json"):
            response.content = display.in_json(response.content.decode())
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 400 to a value that the database or a page number cannot take; anything else is our failure."""
        if not (request.path.startswith("/admin/") and isinstance(exception, DataError | OverflowError | InvalidPage)):
            return None
        logger.warning("a page of the console was asked for what cannot be looked for", exc_info=exception)
        return error_pages.bad_request(request, Refusal(Code.BAD_REQUEST, UNREADABLE))
