"""Every refusal that the server can give: a closed set of codes, each with its status (contract, section 2)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

RETRY_AFTER_SECONDS = 2
# The HTTP authentication scheme (RFC 6750) under which a key is sent.
SCHEME = "Bearer"


class Code(StrEnum):
    """The closed set of error codes of the API."""

    BAD_REQUEST = "bad_request"
    INVALID_JSON = "invalid_json"
    INVALID_EVENT = "invalid_event"
    MISSING_TOKEN = "missing_token"  # noqa: S105  # a code, not a token
    INVALID_KEY = "invalid_key"
    FORBIDDEN = "forbidden"
    TAG_NOT_ALLOWED = "tag_not_allowed"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"


STATUS: Mapping[Code, int] = {
    Code.BAD_REQUEST: 400,
    Code.INVALID_JSON: 400,
    Code.INVALID_EVENT: 400,
    Code.MISSING_TOKEN: 401,
    Code.INVALID_KEY: 401,
    Code.FORBIDDEN: 403,
    Code.TAG_NOT_ALLOWED: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.TIMEOUT: 408,
    Code.TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.UNSUPPORTED_ENCODING: 415,
    Code.RATE_LIMITED: 429,
    Code.UNAVAILABLE: 503,
}


class Refusal(Exception):  # noqa: N818  # a refusal is an answer, not an error of ours
    """The answer to a request that is refused, raised where the reason is found.

    `errors` maps each field at fault to its messages; `headers` are added to the answer.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        errors: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status that belongs to the code."""
        return STATUS[self.code]

    def as_json(self, request_id: str | None) -> dict[str, Any]:
        """Return the one JSON shape of errors (contract, section 2)."""
        errors = {"errors": self.errors} if self.errors else {}
        return {"detail": self.detail, "code": self.code.value, **errors, "request_id": request_id}


class MissingToken(Refusal):
    """The request has no bearer credential."""

    def __init__(self) -> None:
        super().__init__(Code.MISSING_TOKEN, "Missing bearer token", headers={"WWW-Authenticate": SCHEME})


class InvalidKey(Refusal):
    """The one answer to every key that is not accepted: malformed, unknown, revoked and expired keys look alike."""

    def __init__(self) -> None:
        super().__init__(Code.INVALID_KEY, "Invalid API key", headers={"WWW-Authenticate": SCHEME})


class Unavailable(Refusal):
    """Nothing was stored and it is our fault: the sender should try again."""

    def __init__(self, detail: str = "Temporarily unavailable, try again") -> None:
        super().__init__(Code.UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
