"""DRF's authentication of a sender by a bearer key.

It must never log or keep the raw key, and its refusal must never show why a key was denied.
"""

import re

from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from keys import crypto, denials, directory, restrictions
from keys.models import ApiKey
from runtime.addresses import of_request
from runtime.refusals import SCHEME, InvalidKey, MissingToken, Refusal, Unavailable

# A bearer credential anywhere in the header, also behind the comma by which WSGI joins two headers.
BEARER = re.compile(r"(?:^|,)[ \t]*bearer[ \t]+[^ \t,]", re.IGNORECASE)


def _refusal(header: str) -> Refusal:
    """Return the answer to a header in which there is no accepted key (contract, section 2)."""
    return InvalidKey() if BEARER.search(header) else MissingToken()


def _find(raw_key: str, address: str | None) -> ApiKey | None:
    """Return the key of this raw key if it is accepted from this address, otherwise None.

    A raw key that is correct but not accepted is noted as a denial. Raises Unavailable where only the database could
    tell.
    """
    # Of a key in memory the digest proves everything. The CRC keeps others from the database.
    key = directory.trusted(crypto.prefix_of(raw_key))
    if key is None and (prefix := crypto.parse(raw_key)) is not None:
        key = directory.find(prefix)
    if key is None or not crypto.matches(raw_key, key.digest):
        return None
    if not key.is_active():
        denials.mark(key, key.state, address)
        return None
    if key.networks and not restrictions.allows_address(key.networks, address):
        denials.mark(key, "network not allowed", address)
        return None
    return key


def named(header: str) -> tuple[ApiKey, str] | None:
    """Return the key whose prefix a refused Authorization header has, and why it does not open; None if none is known.

    It proves nothing about the sender, who may know no more than the prefix. That says who is to be told of a fault.
    """
    found = crypto.SECRET.search(header)
    if found is None:
        return None
    raw_key = found[0]
    try:
        # A key that was cut or mistyped is no reason to ask the database.
        key = directory.find(found[1]) if crypto.parse(raw_key) else directory.remembered(found[1])
    except Unavailable:
        return None
    if key is None:
        return None
    if not key.is_active():
        return key, key.state
    return key, "network_not_allowed" if crypto.matches(raw_key, key.digest) else "wrong_secret"


def holder(header: str) -> ApiKey | None:
    """Return the key that a refused Authorization header has whole, in whatever state, if this process has met it."""
    found = crypto.SECRET.search(header)
    key = directory.remembered(found[1]) if found else None
    return key if found and key is not None and crypto.matches(found[0], key.digest) else None


class BearerKeyAuthentication(BaseAuthentication):
    """Sets `request.auth` to the `ApiKey` and `request.user` to None: a partner is no user of the console.

    The row is shared between requests and may be out of date; read from it, never save it.
    """

    def authenticate(self, request: HttpRequest | Request) -> tuple[None, ApiKey]:
        """Return no user, and the key of the request, which may be Django's or DRF's.

        Raises Refusal (401) where there is no accepted key, or Unavailable (503) where only the database could tell.
        """
        header: str = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, credential = header.partition(" ")
        key = _find(credential.strip(" "), of_request(request)) if scheme.lower() == "bearer" else None
        if key is None:
            raise _refusal(header)
        directory.mark_used(key)
        return None, key

    def authenticate_header(self, request: Request) -> str:  # DRF's signature
        """Return the challenge (`WWW-Authenticate`) of DRF's own 401s."""
        return SCHEME


class BearerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # spectacular's
    """How the OpenAPI document describes the key."""

    target_class = BearerKeyAuthentication
    name = "bearerKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # spectacular's
        """Return an HTTP bearer scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, `thrad_live_…` or `thrad_test_…`, as an operator issued it.",
        }
