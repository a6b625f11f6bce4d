"""Requests that named a known key and never became events: the ledger counts them, so that their operator sees them.

A partner whose backend posts to `/api/collect/`, or with a key that was revoked, loses every event.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from django.http import HttpRequest
from rest_framework.exceptions import MethodNotAllowed

from collect.storage.ledger import tally
from collect.storage.ledger.tally import Endpoint
from keys import authentication
from runtime.refusals import Code, InvalidKey, Refusal


class _Knock(NamedTuple):
    partner_id: int
    api_key_id: int
    is_test: bool
    received_at: datetime


def note(request: HttpRequest, endpoint: Endpoint, error: Exception) -> None:
    """Count the request if `error` turned it away (401, 404, 405) and its header has the prefix of a known key."""
    is_missing = isinstance(error, Refusal) and error.code is Code.NOT_FOUND
    if not (is_missing or isinstance(error, InvalidKey | MethodNotAllowed)):
        return
    found = authentication.named(request.META.get("HTTP_AUTHORIZATION", ""))
    if found is not None:
        key, denial = found
        code = denial if isinstance(error, InvalidKey) else Code.NOT_FOUND if is_missing else Code.METHOD_NOT_ALLOWED
        tally.turn_away(_Knock(key.partner_id, key.pk, key.is_test, datetime.now(UTC)), endpoint, code)
