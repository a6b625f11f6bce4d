"""The type of a request that has passed this package's middlewares, so that the type checker knows what they add."""

from django.http import HttpRequest


class ServedRequest(HttpRequest):
    """The request that every view is given, on the short road for senders and through Django's handler.

    It is a type to cast to; no instance is ever made.
    """

    # Set by `request_id.RequestIdMiddleware`.
    request_id: str
    # Set by `addresses.ClientAddressMiddleware`; None where the client is unknown.
    client_address: str | None
