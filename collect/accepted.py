"""The answer to an event that is durable."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from http.cookies import SimpleCookie

from django.http import HttpResponse
from django.http.response import ResponseHeaders


class Accepted(HttpResponse):
    """204 with the given headers, and no content that could have a type.

    Django's own constructor asks the settings for a type and a charset, checks the characters of each header and makes
    room for cookies: more work than to read the event.
    """

    status_code = HTTPStatus.NO_CONTENT.value

    def __init__(self, told: Mapping[str, str]) -> None:
        """Take the headers; each is one of ours, in printable ASCII."""
        self.headers = ResponseHeaders({})
        store = self.headers._store
        for name, value in told.items():
            store[name.lower()] = (name, value)
        self._charset = self._handler_class = None
        self._reason_phrase = HTTPStatus.NO_CONTENT.phrase
        self._resource_closers: list[object] = []
        self._container = [b""]
        self.closed = False

    @property
    def cookies(self) -> SimpleCookie:  # type: ignore[override]  # an attribute of Django's, which is only read
        """There are none, and what is set here is not sent."""
        return SimpleCookie()

    def items(self) -> Iterable[tuple[str, str]]:
        """Return the headers as they are to be sent."""
        return self.headers._store.values()
