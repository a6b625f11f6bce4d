"""Records a request as it comes, and its answer, for an operator who has asked for that (docs/console.md).

No secret may get into a record. Headers that carry one are left out, and of a key that stands anywhere but in the body
only the public prefix stays. The body is kept byte for byte.
"""

import re
import time
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse

from collect.models import Capture
from keys import crypto
from keys.models import ApiKey
from runtime.gunicorn.bodies import Body, arrived
from runtime.requests import ServedRequest

# Bytes that are kept of a body, and of an answer.
KEPT_BYTES = 1024 * 1024
# Headers that are left out altogether, and those whose value is: somebody else's secret may stand in it.
_LEFT_OUT = frozenset(("Authorization", "Cookie", "Proxy-Authorization"))
_SECRET_NAME = re.compile(
    r"auth|cookie|token|secret|password|credential|key|signature|session|jwt|bearer", re.IGNORECASE
)
REMOVED = "[removed]"


class _Listener:
    """A request's body that keeps what is read of it."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.kept = bytearray()
        self.size = 0

    def read(self, size: int | None = None) -> bytes:
        """Read on as the body does, and raise what it raises; what came before it broke off is kept too."""
        try:
            data = self._body.read(size)
        except Exception:
            self._keep(arrived(self._body))
            raise
        self._keep(data)
        return data

    def _keep(self, data: bytes) -> None:
        self.size += len(data)
        self.kept += data[: max(0, KEPT_BYTES - len(self.kept))]

    @property
    def failed(self) -> bool:
        """Whether the connection has to end after the answer."""
        return self._body.failed

    @failed.setter
    def failed(self, value: bool) -> None:
        self._body.failed = value


class Recording:
    """A request that is being served. Whatever is read of its body from now on is kept."""

    def __init__(self, request: ServedRequest, key: ApiKey) -> None:
        self.key = key
        # Which order it belongs to: the next one of the same key has another end.
        self.until = key.capture_until
        self._request = request
        self._began = time.perf_counter()
        self._received_at = datetime.now(UTC)
        self._body = request.META["wsgi.input"] = _Listener(request.META["wsgi.input"])

    def end(self, response: HttpResponse) -> Capture:
        """Return what is kept of the request and its answer, as a row that is not saved."""
        request = self._request
        # The id is put into the answer after the view.
        told = [*response.items(), ("X-Request-Id", request.request_id)]
        return Capture(
            received_at=self._received_at,
            milliseconds=round((time.perf_counter() - self._began) * 1_000, 3),
            partner_id=self.key.partner_id,
            api_key_id=self.key.pk,
            request_id=_without_key(request.request_id),
            ip_address=request.client_address,
            method=str(request.method)[:32],
            path=_without_key(request.get_full_path()),
            protocol=request.META.get("SERVER_PROTOCOL", "")[:16],
            headers=_headers_of(request),
            body=bytes(self._body.kept),
            body_size=self._body.size,
            status=response.status_code,
            answer_headers=[[name, _without_key(value)] for name, value in told],
            answer=_without_key(response.content.decode("latin-1")).encode("latin-1")[:KEPT_BYTES],
            answer_size=len(response.content),
        )


def _headers_of(request: HttpRequest) -> list[list[str]]:
    """Return the headers as WSGI has them: in their order, without their case, those of one name joined by a comma."""
    found = [(_name_of(name), str(value)) for name, value in request.META.items()]
    return [
        [name, REMOVED if _SECRET_NAME.search(name) else _without_key(value)]
        for name, value in found
        if name not in _LEFT_OUT and value and name
    ]


def _name_of(variable: str) -> str:
    """Return the header that WSGI's variable has, or "" for any other variable."""
    if variable.startswith("HTTP_"):
        variable = variable.removeprefix("HTTP_")
    elif variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        return ""
    return "-".join(part.capitalize() for part in variable.split("_"))


def _without_key(text: Any) -> str:
    # PostgreSQL has no text with U+0000.
    return crypto.masked(str(text), REMOVED).replace("\0", "\ufffd")
