"""The body of one event: decoded and judged in one step, or every fault in it explained (contract, section 1).

No other module knows the wire format. The fast path is msgspec's. `_explain` applies the rules field by field, and the
fast path never accepts what `_explain` would not accept.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Raw

from collect.intake import slips
from collect.intake.json_rules import MAX_DEPTH, check_depth, clean, invalid
from runtime.refusals import Code, Refusal

MAX_BODY_BYTES = 1024 * 1024
# Longest name or id, whether it was sent or looked up, and longest attribution type, in characters.
MAX_TEXT = 255
MAX_ATTRIBUTION_TYPE = 64
MILLISECONDS_FROM = 1e11
# The last second of the year 9999, in milliseconds; a fraction more might be rounded into the next year.
LAST_MILLISECOND = 253_402_300_799_000

# The taxonomy of the API's page. It serves to recognise events and is never enforced.
STANDARD_EVENTS = {
    "contents_viewed": "contents",
    "items_added": "contents",
    "checkout_started": "contents",
    "order_created": "contents",
    "lead_created": "customer_action",
    "appointment_scheduled": "customer_action",
    "registration_completed": "customer_action",
    "trial_started": "plan_enrollment",
    "subscription_created": "plan_enrollment",
    "custom": "custom",
}

NULL = b"null"
_ABSENT = Raw()
_Id = Annotated[str, Meta(max_length=MAX_TEXT)]


class SentEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A sent event after the checks. `params`, `consent` and `extra` are the sender's own bytes, empty if absent."""

    event_name: _Id
    tag_id: _Id | None = None
    event_id: _Id | None = None
    timestamp: int | float | None = None
    page_url: str | None = None
    referrer: str | None = None
    user_agent: str | None = None
    session_id: _Id | None = None
    client_id: _Id | None = None
    click_id: _Id | None = None
    impression_id: _Id | None = None
    bid_id: _Id | None = None
    attribution_type: Annotated[str, Meta(max_length=MAX_ATTRIBUTION_TYPE)] | None = None
    consent: Raw = _ABSENT
    params: Raw = _ABSENT
    channel: Raw = _ABSENT
    extra: Raw = _ABSENT

    @property
    def sent_at(self) -> datetime | None:
        """`timestamp` as a moment, None if it was not sent. Raises ValueError outside 1970..9999."""
        return None if self.timestamp is None else moment(self.timestamp)


NO_YEAR = "must lie in the years 1970 to 9999"


def moment(seconds: float) -> datetime:
    if seconds >= MILLISECONDS_FROM:
        seconds = seconds / 1000
    if seconds < 0:
        raise ValueError(NO_YEAR)
    return datetime.fromtimestamp(seconds, UTC)


_object_decoder = msgspec.json.Decoder(dict[str, Raw])
read_value: Callable[[Raw | bytes], Any] = msgspec.json.Decoder().decode

Sent = TypeVar("Sent", bound=SentEvent)


class Form(Generic[Sent]):
    """One version of the contract: the struct to decode into, one rule per field, and `settle`.

    `settle` normalises the decoded event in place, and returns False if the field rules must decide.
    """

    def __init__(
        self, kind: type[Sent], rules: Mapping[str, Callable[[Raw], Any]], settle: Callable[[Sent], bool]
    ) -> None:
        self.kind = kind
        self.rules = rules
        self.settle = settle
        self.fast: Callable[[bytes], Sent] = msgspec.json.Decoder(kind).decode


def decode(body: bytes, *, is_clean: bool = False) -> SentEvent:
    """Return the event in `body`. Pass `is_clean` if `json_rules.is_clean` is true of a text that contains `body`.

    Raises `Refusal` with `invalid_json` for what is not acceptable JSON, and with `invalid_event` and all
    faults, by field, for an event that breaks the contract.
    """
    return decode_as(body, _SENT, is_clean=is_clean)


def decode_as(body: bytes, form: Form[Sent], *, is_clean: bool = False) -> Sent:
    if is_clean:
        check_depth(body)
    text = body if is_clean else clean(body)
    try:
        event = form.fast(text)
    except msgspec.ValidationError:
        return _explain(text, form)
    except (msgspec.DecodeError, RecursionError) as error:
        raise invalid(syntax(error)) from None
    if not form.settle(event):
        return _explain(text, form)
    return event


def settle(event: SentEvent) -> bool:
    """Trim the event's fields and drop blank ones, in place; tell whether it is valid. If not, `_explain` decides."""
    event.event_name = event.event_name.strip()
    if not event.event_name or _first(event.extra):
        # A key called `extra` is the sender's own and belongs inside our `extra`, where `_explain` puts it.
        return False
    event.tag_id = _unless_blank(event.tag_id)
    event.event_id = _unless_blank(event.event_id)
    if event.timestamp is not None and not 0 <= event.timestamp < LAST_MILLISECOND:
        return False
    consent, params = _first(event.consent), _first(event.params)
    if consent == b"n":
        event.consent = _ABSENT
    if params == b"n":
        event.params = _ABSENT
    return params in OBJECT_OR_NONE and consent in OBJECT_OR_NONE


OBJECT_OR_NONE = (b"{", b"", b"n")


def _first(raw: Raw) -> bytes:
    return b"" if raw is _ABSENT else bytes(memoryview(raw)[:1])


def _unless_blank(text: str | None) -> str | None:
    return text if text is not None and text.strip() else None


def _unless_null(raw: Raw) -> Raw:
    return _ABSENT if _first(raw) == b"n" else raw


def _explain(text: bytes, form: Form[Sent]) -> Sent:
    """Judge the body field by field; return the event, with keys that are not in the contract in `extra`.

    Raises `Refusal` with all faults.
    """
    try:
        fields = _object_decoder.decode(text)
    except msgspec.ValidationError:
        raise _no_object(text) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise invalid(syntax(error)) from None
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, rule in form.rules.items():
        raw = _unless_null(fields.pop(name, _ABSENT))
        try:
            if _first(raw):
                values[name] = rule(raw)
            elif name == "event_name":
                raise ValueError("required")
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise invalid_event(errors)
    fields.pop("channel", None)
    if fields:
        values["extra"] = Raw(msgspec.json.encode(fields))
    return form.kind(**values)


def invalid_event(errors: dict[str, list[str]]) -> Refusal:
    """Return the refusal of an event that breaks the contract in the fields of `errors`."""
    detail = "; ".join(f"{name}: {', '.join(messages)}" for name, messages in errors.items())
    return Refusal(Code.INVALID_EVENT, detail, errors=errors)


def poisoned() -> Refusal:
    """Return the refusal of an event that keeps to the contract but that the database does not accept."""
    return Refusal(Code.INVALID_EVENT, "The database cannot keep this event")


def syntax(error: Exception) -> str:
    """Return what a decoder's error says of the JSON, in words for its sender."""
    if isinstance(error, RecursionError):
        return f"Nested deeper than {MAX_DEPTH} levels"
    return "JSON is malformed: it ends too early" if "truncated" in str(error) else str(error)


def _no_object(text: bytes) -> Refusal:
    """Return the refusal of a body that is not an object: other JSON, or no JSON, such as an array that is cut off."""
    try:
        read_value(text)
    except (msgspec.DecodeError, RecursionError) as error:
        return invalid(syntax(error))
    return Refusal(Code.INVALID_EVENT, "The body must be a JSON object")


def string(limit: int | None = None) -> Callable[[Raw], str]:
    def rule(raw: Raw) -> str:
        if _first(raw) != b'"':
            raise ValueError("must be a string")
        text: str = read_value(raw)
        if limit is not None and len(text) > limit:
            raise ValueError(f"at most {limit} characters")
        return text

    return rule


def _event_name(raw: Raw) -> str:
    name = string()(raw).strip()
    if not name:
        raise ValueError("must not be blank")
    if len(name) > MAX_TEXT:
        raise ValueError(f"at most {MAX_TEXT} characters")
    return name


def _optional_id(raw: Raw) -> str | None:
    return _unless_blank(string(MAX_TEXT)(raw))


def _timestamp(raw: Raw) -> float:
    if _first(raw) not in b"-0123456789":
        raise ValueError("must be a number of Unix seconds" + slips.no_number(raw))
    try:
        seconds: float = read_value(raw)
    except (msgspec.ValidationError, ValueError):
        raise ValueError(NO_YEAR) from None
    try:
        moment(seconds)
    except (ValueError, OverflowError):
        raise ValueError(NO_YEAR + slips.no_year(seconds)) from None
    return seconds


def _object(raw: Raw) -> Raw:
    if _first(raw) != b"{":
        raise ValueError("must be an object" + slips.no_object(raw))
    return raw


RULES: dict[str, Callable[[Raw], Any]] = {
    "event_name": _event_name,
    "tag_id": _optional_id,
    "event_id": _optional_id,
    "timestamp": _timestamp,
    "page_url": string(),
    "referrer": string(),
    "user_agent": string(),
    **{name: string(MAX_TEXT) for name in ("session_id", "client_id", "click_id", "impression_id", "bid_id")},
    "attribution_type": string(MAX_ATTRIBUTION_TYPE),
    "consent": _object,
    "params": _object,
}
_SENT = Form(SentEvent, RULES, settle)
