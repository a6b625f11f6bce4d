"""Carries a raw key from the request that issues it to the page that shows it, which can be loaded once.

The page is another address, so that loading it again issues nothing. On the way the key is in two halves, and either of
them alone is only random bytes: the session, which every worker reads in the database, has one, and a cookie for that
page alone has the other.
"""

import secrets
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from keys import crypto
from keys.models import ApiKey

COOKIE = "issued_key"
# How long the browser may take from the one request to the other.
LIFETIME = timedelta(minutes=5)


def _page(key: ApiKey) -> str:
    return reverse("admin:keys_apikey_issued", args=[key.pk])


def _slot(key: ApiKey) -> str:
    return f"issued_key_{key.pk}"


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def hand_over(request: HttpRequest, key: ApiKey, raw_key: str) -> HttpResponse:
    """Return the redirect to the page that shows the raw key."""
    mask = secrets.token_bytes(len(raw_key))
    request.session[_slot(key)] = _xor(raw_key.encode("ascii"), mask).hex()
    response = redirect(_page(key))
    response.set_cookie(
        COOKIE,
        mask.hex(),
        max_age=LIFETIME,
        path=_page(key),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


def take(request: HttpRequest, key: ApiKey) -> str | None:
    """Return the raw key and forget it; None where this browser did not issue it just now, or has been shown it."""
    half = request.session.pop(_slot(key), "")
    try:
        raw_key = _xor(bytes.fromhex(half), bytes.fromhex(request.COOKIES.get(COOKIE, ""))).decode("ascii")
    except ValueError:  # somebody else's cookie of this name
        return None
    return raw_key if raw_key and crypto.matches(raw_key, key.digest) else None


def forget(response: HttpResponse, key: ApiKey) -> None:
    """Delete the browser's half."""
    response.delete_cookie(COOKIE, path=_page(key), samesite="Strict")
