"""The events API in OpenAPI's words: bodies, answers and headers, as the contract gives them."""

from typing import Any, cast

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from msgspec.inspect import StructType

from collect.batch import MAX_EVENTS
from collect.intake.contract import LAST_MILLISECOND, STANDARD_EVENTS, SentEvent
from collect.storage.outcomes import DURABLE
from runtime.refusals import STATUS, Code

Schema = dict[str, Any]


def _max_length(name: str) -> int | None:
    """Return the greatest length of a text in this field, in characters; None if there is no bound."""
    kinds = _FIELDS[name]
    texts = [kind for kind in getattr(kinds, "types", [kinds]) if isinstance(kind, msgspec.inspect.StrType)]
    return texts[0].max_length


_FIELDS = {field.name: field.type for field in cast(StructType, msgspec.inspect.type_info(SentEvent)).fields}


def _text(name: str, description: str = "Stored as sent.") -> Schema:
    limit = _max_length(name)
    return {"type": ["string", "null"], "description": description, **({"maxLength": limit} if limit else {})}


EVENT: Schema = {
    "type": "object",
    "required": ["event_name"],
    "description": "Keys that are not listed here are never an error: they are kept in `extra`. null is absent.",
    "properties": {
        "event_name": {
            "type": "string",
            "minLength": 1,
            "maxLength": _max_length("event_name"),
            # Some character must be left after trimming, and white space is what Python takes for it.
            "pattern": r"[^\s\x1c-\x1f\x85]",
            "description": f"Standard ({', '.join(STANDARD_EVENTS)}) or custom.",
        },
        "tag_id": _text("tag_id", "Your tag. Missing or blank: derived from the host of `page_url`."),
        "event_id": _text("event_id", "The idempotency key: the same id again is stored once."),
        "timestamp": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": LAST_MILLISECOND + 999,
            "description": "Unix seconds; 1e11 and more is taken as milliseconds. Absent: time of receipt.",
        },
        "page_url": _text("page_url"),
        "referrer": _text("referrer"),
        "user_agent": _text("user_agent", "The browser's, parsed into the `ua_` columns."),
        **{name: _text(name) for name in ("session_id", "client_id", "click_id", "impression_id", "bid_id")},
        "attribution_type": _text("attribution_type", "`click`, `view`, `organic`, or another word."),
        "consent": {"type": ["object", "null"], "description": "Consent flags, stored verbatim."},
        "params": {"type": ["object", "null"], "description": "Free-form properties, stored verbatim."},
        "channel": {"description": "Ignored: the row always says `server`."},
    },
    "additionalProperties": True,
    "example": {
        "tag_id": "tag_1",
        "event_name": "items_added",
        "event_id": "evt_42",
        "timestamp": 1748275200,
        "click_id": "clk_xyz",
        "session_id": "sess_abc",
        "params": {"content_id": "sku_123", "quantity": 2, "value": 58.0, "currency": "USD"},
    },
}

_HINT: Schema = {
    "field": {"type": "string", "description": "The key as it was sent. It is kept in `extra`."},
    "detail": {"type": "string", "description": "The field that it looks like, in words."},
}


def _hints(**more: Schema) -> Schema:
    properties = {**_HINT, **more}
    return {
        "type": "array",
        "description": "Keys that look like fields and are not; absent where there are none.",
        "items": {"type": "object", "required": list(properties), "properties": properties},
    }


VALIDATED: Schema = {
    "type": "object",
    "required": ["valid", "event"],
    "properties": {
        "valid": {"const": True},
        "event": {"type": "object", "description": "The row as it would be stored, enrichment included."},
        "hints": _hints(),
    },
}

# An item that is not an event is rejected alone, and the batch is accepted all the same.
_ITEMS: Schema = {
    "type": "array",
    "description": f"Up to {MAX_EVENTS:,} events; more are refused with 413.",
    "items": {"anyOf": [EVENT, {"description": "Whatever is no event is rejected alone."}]},
}
BATCH: Schema = {
    "oneOf": [
        {
            "type": "object",
            "required": ["events"],
            "properties": {"events": _ITEMS},
        },
        _ITEMS,
    ]
}

_COUNT: Schema = {"type": "integer", "minimum": 0}
BATCHED: Schema = {
    "type": "object",
    "required": ["stored", "duplicates", "conflicts", "spooled", "rejected"],
    "properties": {
        **dict.fromkeys(("stored", "duplicates", "conflicts", "spooled"), _COUNT),
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "code", "detail"],
                "properties": {
                    "index": _COUNT,
                    "code": {"enum": [Code.INVALID_JSON, Code.INVALID_EVENT, Code.TOO_LARGE, Code.TAG_NOT_ALLOWED]},
                    "detail": {"type": "string"},
                    "errors": {
                        "type": "object",
                        "additionalProperties": {"type": "array", "items": {"type": "string"}},
                    },
                },
            },
        },
        "hints": _hints(
            index={**_COUNT, "description": "The first event that has the key."},
            events={**_COUNT, "description": "How many events have it."},
        ),
    },
}

_ERRORS = {
    400: "The body is not JSON, or the event breaks the contract.",
    401: "No bearer key, or one that is not valid.",
    403: "The key may not send this.",
    405: "Only POST.",
    408: "The body did not arrive in time.",
    413: "The body is over the cap.",
    415: "Another media type or content coding.",
    429: "The key's limit is reached.",
    503: "Nothing was stored and it is our fault: try again after `Retry-After` seconds.",
}


def _error(status: int) -> Schema:
    return {
        "type": "object",
        "required": ["detail", "code", "request_id"],
        "properties": {
            "detail": {"type": "string"},
            "code": {"enum": [code.value for code in Code if STATUS[code] == status]},
            "errors": {
                "type": "object",
                "description": "Every field at fault, with its messages.",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
            },
            "request_id": {"type": "string"},
        },
    }


def _header(name: str, statuses: "list[int | str] | bool", description: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, OpenApiParameter.HEADER, response=statuses, description=description, **more
    )


_REQUEST_ID = OpenApiParameter(
    "X-Request-Id", OpenApiTypes.STR, OpenApiParameter.HEADER, description="Your own id of the request."
)


def _limits(success: int) -> list[OpenApiParameter]:
    """Return the headers of answers to a key with a limit; `success` is the status of an accepted request."""
    told = {"RateLimit-Policy": "what it may send", "RateLimit": "what is left of it, and when there will be more"}
    source = "draft-ietf-httpapi-ratelimit-headers"
    return [_header(name, [success, 429], f"Of a key with a limit: {what} ({source}).") for name, what in told.items()]


_HEADERS = [
    _REQUEST_ID,
    _header("X-Request-Id", True, "The id of the request, yours where it was sane."),
    _header("WWW-Authenticate", [401], "Always `Bearer`."),
    _header("Allow", [405], "Always `POST`."),
    _header("Retry-After", [429, 503], "Seconds to wait."),
]
_RESPONSES = {
    status: OpenApiResponse(_error(status), description=description) for status, description in _ERRORS.items()
}

collect = extend_schema(
    summary="Send one event",
    description="204 only when the event is durable.",
    request={"application/json": EVENT},
    parameters=[
        *_HEADERS,
        *_limits(204),
        _header("X-Event-Id", [204], "The id of the stored row; of the first one, for a duplicate."),
        _header(
            "X-Event-Outcome",
            [204],
            "What became of it.",
            enum=[str(outcome) for outcome in DURABLE],
        ),
        _header("X-Event-Hint", [204], "Only where keys look like fields and are not: which, and like what."),
    ],
    responses={204: OpenApiResponse(description="The event is durable."), **_RESPONSES},
)

validate = extend_schema(
    summary="Try an event",
    description="What collect would store, or the refusal that it would give. Stores nothing.",
    request={"application/json": EVENT},
    parameters=_HEADERS,
    responses={200: OpenApiResponse(VALIDATED, description="The event is valid."), **_RESPONSES},
)

batch = extend_schema(
    summary="Send many events",
    description="Each event is judged alone. The four counts and the rejections add up to the events sent.",
    request={
        "application/json": BATCH,
        "application/x-ndjson": {"type": "string", "description": "One event a line."},
    },
    parameters=[*_HEADERS, *_limits(200)],
    responses={200: OpenApiResponse(BATCHED, description="What became of the events."), **_RESPONSES},
)


def require_bodies(result: Schema, **_: object) -> Schema:
    """Mark every request body as required; spectacular does not do so for one that is given as plain JSON Schema.

    It is a hook of spectacular on the whole document (`POSTPROCESSING_HOOKS`).
    """
    for operations in result["paths"].values():
        for operation in operations.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
    return result
