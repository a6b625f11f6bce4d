"""An event as an export writes it and an import reads it: the stored row, with names where the row has our ids.

The `timestamp` of an exported event is a text, which a sender's never is; so a file may mix both.
"""

import re
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from django.db import models
from msgspec import Meta

from collect.backfills.formats import past
from collect.intake import contract
from collect.intake.json_rules import clean, invalid
from collect.models import Event
from collect.storage.rows import Row
from keys import crypto
from keys.models import Partner
from runtime import addresses

# Columns with another name in the file, where they hold the partner's name and the key's prefix.
NAMES = {"partner_id": "partner", "api_key_id": "api_key"}
JSON = ("params", "extra", "consent")
MOMENTS = ("received_at", "timestamp")
_AT_MOMENTS = tuple(f"`$.{name}`" for name in MOMENTS)

_UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"
_TYPES: dict[str, Any] = {
    "id": Annotated[str, Meta(pattern=_UUID)],
    "partner": Annotated[str, Meta(min_length=1, max_length=Partner._meta.get_field("name").max_length)],
    "api_key": Annotated[str, Meta(pattern=f"^{crypto.PREFIX.pattern}")] | None,
}


def _field(field: msgspec.structs.FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    name = NAMES.get(field.name, field.name)
    required = field.default is msgspec.NODEFAULT and name != "api_key"
    kind = _TYPES.get(name) or _type_of_column(field)
    return (name, kind) if required else (name, kind, None)


def _type_of_column(field: msgspec.structs.FieldInfo) -> Any:
    column = Event._meta.get_field(field.name)
    if isinstance(column, models.DateTimeField):
        return Annotated[field.type, Meta(tz=True)]
    if isinstance(column, models.CharField):
        text = Annotated[str, Meta(min_length=0 if column.null else 1, max_length=column.max_length)]
        return text | None if column.null else text
    return field.type


FIELDS = [NAMES.get(field.name, field.name) for field in msgspec.structs.fields(Row)]
Exported = msgspec.defstruct(
    "Exported",
    [_field(field) for field in msgspec.structs.fields(Row)],
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    gc=False,
    module=__name__,
)

_decode = msgspec.json.Decoder(Exported).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
encode = msgspec.json.Encoder().encode
_AT_FIELD = re.compile(r"(.*) - at `\$\.(\w+)")
_MISSING = re.compile(r"Object missing required field `(\w+)`")


def decode(body: bytes) -> Any:
    """Return the `Exported` in `body`.

    Raises `Refusal` for what no export has written: `invalid_json`, or `invalid_event` with the faults by field.
    """
    try:
        text = clean(body)
        event = _decode_spelled(text)
    except msgspec.ValidationError as error:
        raise contract.invalid_event(_fault(str(error))) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise invalid(str(error)) from None
    if errors := _settle(event):
        raise contract.invalid_event(errors)
    return event


def _decode_spelled(text: bytes) -> Any:
    """Return the event in a text whose moments may be spelled as another program does: a database, a data frame."""
    try:
        return _decode(text)
    except msgspec.ValidationError as error:
        if not str(error).endswith(_AT_MOMENTS):
            raise
        fields = _fields(text)
        for name in MOMENTS:
            with suppress(ValueError, KeyError):
                fields[name] = msgspec.Raw(encode(past.spelled(msgspec.json.decode(fields[name], type=str))))
        return _decode(encode(fields))


def decode_own(line: bytes) -> Any:
    """Return the `Exported` in a line that was exported a moment ago and so needs no checks."""
    return _decode(line)


def _fault(text: str) -> dict[str, list[str]]:
    if found := _MISSING.match(text):
        return {found[1]: ["required"]}
    if found := _AT_FIELD.match(text):
        return {found[2]: [found[1]]}
    return {"record": [text]}


def _settle(event: Any) -> dict[str, list[str]]:
    """Turn the event's moments to UTC and normalise its address; return the faults that its types do not exclude."""
    errors = {
        name: ["must be an object"]
        for name in JSON
        if (raw := getattr(event, name)) is not None and bytes(memoryview(raw)[:1]) != b"{"
    }
    for name, rule in (("received_at", past.past), ("timestamp", past.utc)):
        try:
            setattr(event, name, rule(getattr(event, name)))
        except ValueError as error:
            errors[name] = [str(error)]
    # PostgreSQL writes some addresses in another form than they were stored in: `::5` as `::0.0.0.5`.
    if event.ip_address is not None:
        event.ip_address = addresses.normalise(event.ip_address)
        if event.ip_address is None:
            errors["ip_address"] = ["must be an IP address"]
    if event.api_key is not None and event.api_key.startswith(crypto.TEST) != event.is_test:
        errors["api_key"] = ["does not agree with is_test"]
    return errors


def row(event: Any, partner_id: int, api_key_id: int | None) -> Row:
    """Return the row that was exported as `event`."""
    columns = msgspec.structs.asdict(event)
    del columns["partner"], columns["api_key"]
    return Row(partner_id=partner_id, api_key_id=api_key_id, **columns)
