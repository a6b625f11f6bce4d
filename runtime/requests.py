"""A request as the middlewares of this package leave it, so that the type checker knows what they add."""

from django.http import HttpRequest


class ServedRequest(HttpRequest):
    """What every view is given, on the senders' road and on Django's. A type to cast to; nobody makes one."""

    # Set by `request_id.RequestIdMiddleware`.
    request_id: str
    # Set by `addresses.ClientAddressMiddleware`; None where the client is unknown.
    client_address: str | None
