"""Bodies as the WSGI stream gives them: whole, cut, too long, packed."""

import gzip
import io
from typing import Any

import pytest
from django.test import RequestFactory
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from collect.intake import wire
from collect.intake.wire import Received
from runtime.refusals import Code

LIMIT = 1_000


class Stream(io.BytesIO):
    """A body as gunicorn hands it over; `failed` tells gunicorn to leave the rest and close."""

    failed = False


def receive(rf: RequestFactory, body: bytes, limit: int = LIMIT, **meta: Any) -> tuple[Received, Stream]:
    request = rf.post("/", b"{}", content_type="application/json")
    stream = Stream(body)
    request.META = {**request.META, "wsgi.input": stream, "CONTENT_LENGTH": str(len(body)), **meta}
    request.META = {name: value for name, value in request.META.items() if value is not None}
    return wire.receive(request, limit), stream


def fault(received: Received) -> Code | None:
    return None if received.fault is None else received.fault.code


def test_whole_body_is_received(rf: RequestFactory) -> None:
    received, stream = receive(rf, b"{}")
    assert received == (b"{}", None)
    assert not stream.failed


@pytest.mark.parametrize("length", [None, ""])
def test_body_without_a_length_is_read_to_its_end_where_the_server_marks_it(
    rf: RequestFactory, length: str | None
) -> None:
    received, _ = receive(rf, b"{}", CONTENT_LENGTH=length, **{"wsgi.input_terminated": True})
    assert received == (b"{}", None)
    received, _ = receive(rf, b"{}", CONTENT_LENGTH=length)
    assert received == (b"", None)


@pytest.mark.parametrize("length", ["10", "-1", "x", "1e3"])
def test_length_that_is_not_true_is_invalid(rf: RequestFactory, length: str) -> None:
    received, _ = receive(rf, b"{}", CONTENT_LENGTH=length)
    assert fault(received) is Code.INVALID_JSON


@pytest.mark.parametrize("chunked", [False, True])
def test_cap_and_one_more(rf: RequestFactory, chunked: bool) -> None:
    meta: dict[str, Any] = {"CONTENT_LENGTH": None, "wsgi.input_terminated": True} if chunked else {}
    received, _ = receive(rf, b"x" * LIMIT, **meta)
    assert fault(received) is None
    received, stream = receive(rf, b"x" * (LIMIT + 1), **meta)
    assert fault(received) is Code.TOO_LARGE
    assert stream.failed


def test_declared_giant_is_glimpsed_at_and_left(rf: RequestFactory) -> None:
    received, stream = receive(rf, b"x" * 1_000_000)
    assert (fault(received), len(received.body)) == (Code.TOO_LARGE, 65_536)
    assert stream.tell() == 65_536
    assert stream.failed


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), Code.TIMEOUT),
        (ConnectionResetError(), Code.INVALID_JSON),
        (NoMoreData(), Code.INVALID_JSON),
        (InvalidChunkSize(b"x"), Code.INVALID_JSON),
    ],
)
def test_body_that_breaks_off_is_too_slow_or_invalid(rf: RequestFactory, error: Exception, code: Code) -> None:
    class Broken(Stream):
        def read(self, size: int | None = -1) -> bytes:
            raise error

    meta: dict[str, Any] = {"wsgi.input": Broken()}
    received, _ = receive(rf, b"{}", **meta)
    assert fault(received) is code
    # Trying again would not help one that is too large as well.
    received, _ = receive(rf, b"x" * (LIMIT + 1), **meta)
    assert fault(received) is Code.TOO_LARGE


def test_media_type_is_said_before_anything_else(rf: RequestFactory) -> None:
    request = rf.post("/", b"x" * 500, content_type="text/plain")
    assert fault(wire.receive(request, LIMIT)) is Code.UNSUPPORTED_MEDIA_TYPE
    request = rf.post("/", b"{}", content_type="application/x-ndjson")
    assert fault(wire.receive(request, LIMIT)) is Code.UNSUPPORTED_MEDIA_TYPE
    request = rf.post("/", b"{}", content_type="application/x-ndjson")
    assert fault(wire.receive(request, LIMIT, ("application/x-ndjson",))) is None


def test_gzip_is_unpacked_to_the_cap_and_no_further(rf: RequestFactory) -> None:
    whole = gzip.compress(b"x" * LIMIT)
    received, _ = receive(rf, whole, HTTP_CONTENT_ENCODING="GZIP")
    assert received == (b"x" * LIMIT, None)
    received, _ = receive(rf, gzip.compress(b"x" * 100_000_000), limit=200_000, HTTP_CONTENT_ENCODING="gzip")
    assert (fault(received), len(received.body)) == (Code.TOO_LARGE, 200_001)
    received, _ = receive(rf, whole[:-4], HTTP_CONTENT_ENCODING="gzip")
    assert fault(received) is Code.INVALID_JSON
    received, _ = receive(rf, whole, HTTP_CONTENT_ENCODING="br")
    assert fault(received) is Code.UNSUPPORTED_ENCODING


@pytest.mark.parametrize("coding", ["gzip,", ", gzip", ",\tx-gzip ,"])
def test_empty_elements_in_the_list_of_codings_count_for_nothing(rf: RequestFactory, coding: str) -> None:
    assert receive(rf, gzip.compress(b"{}"), HTTP_CONTENT_ENCODING=coding)[0] == (b"{}", None)
    assert receive(rf, b"{}", HTTP_CONTENT_ENCODING=",")[0] == (b"{}", None)
    received, _ = receive(rf, b"{}", HTTP_CONTENT_ENCODING=f"{coding}, br")
    assert fault(received) is Code.UNSUPPORTED_ENCODING


def test_many_tiny_members_are_linear_work(rf: RequestFactory) -> None:
    packed = gzip.compress(b"") * 40_000 + gzip.compress(b"{}")
    received, _ = receive(rf, packed, limit=1_000_000, HTTP_CONTENT_ENCODING="gzip")
    assert received == (b"{}", None)
