"""What to tell a sender of a group of rejections: the rule, since when, one example masked, and a line that passes."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collect.models import Rejection, RejectionGroup
from collect.storage.outcomes import Outcome
from collect.storage.rejections import MAX_KEPT_BODY
from reporting.ranges import Range
from reporting.rejections.bodies import masked
from reporting.rejections.groups import GroupRow
from reporting.rejections.incidents import Incident
from runtime.display import number, second, share
from runtime.refusals import Code

KEY = "$THRAD_API_KEY"
_ID = "A text of up to 255 characters, without a number's or an object's form."
# The sentence of the contract that a field at fault breaks (docs/api.md, "The body"), and a value that keeps to it.
FIELDS: Mapping[str, tuple[str, Any]] = {
    "event_name": ("event_name is required: a text of 1 to 255 characters.", "order_created"),
    "tag_id": (f"tag_id: {_ID} Leave it out, and the server derives it.", "tag_1"),
    "event_id": (f"event_id: {_ID} The same id is stored once.", "evt_42"),
    "timestamp": (
        "timestamp is a number, not a text: Unix seconds, or milliseconds from 1e11 on, in the years 1970 to 9999.",
        1748275200,
    ),
    "page_url": ("page_url is a text.", "https://shop.example/cart"),
    "referrer": ("referrer is a text.", "https://shop.example/"),
    "user_agent": ("user_agent is a text: that of the visitor's browser.", "Mozilla/5.0"),
    **{
        name: (f"{name}: {_ID}", f"{name.removesuffix('_id')}_1")
        for name in ("session_id", "client_id", "click_id", "impression_id", "bid_id")
    },
    "attribution_type": ("attribution_type is a text of up to 64 characters: click, view, organic.", "click"),
    "consent": ("consent is a JSON object, not a text and not an array.", {"analytics": True}),
    "params": ("params is a JSON object, not a text and not an array.", {"value": 58.0, "currency": "USD"}),
    "events": ("The batch is an array of events, or an object whose `events` is one; at most 2,000 of them.", None),
}
# The sentence that a body breaks as a whole.
CODES: Mapping[str, str] = {
    Outcome.CONFLICT: "An event_id names one event for ever: the first body stays, and another one with the same id is "
    "not stored. Send the same body when you try again, and a new event_id for a new event.",
    Code.INVALID_EVENT: "An event is a JSON object that keeps to the table of fields.",
    Code.INVALID_JSON: "The body is JSON in UTF-8: not empty, not cut, nested 64 levels deep at most, without NaN, "
    "Infinity or a number out of range. A compressed one says so in Content-Encoding.",
    Code.TOO_LARGE: "A body has 1 MiB at most, as sent and unpacked; a batch 8 MiB and 2,000 events.",
    Code.TAG_NOT_ALLOWED: "This key may send only for the tags that it was issued for.",
    Code.TIMEOUT: "A body arrives within its time; nothing was stored, so it can be sent again.",
    Code.UNSUPPORTED_MEDIA_TYPE: "Content-Type is application/json; a batch may also be application/x-ndjson.",
    Code.UNSUPPORTED_ENCODING: "Content-Encoding is gzip or left out; Transfer-Encoding is chunked or left out.",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a group in a range, for its page and its message."""

    row: GroupRow
    incident: Incident | None
    example: Rejection | None
    range: Range


def rules(group: RejectionGroup, fields: Mapping[str, object]) -> list[str]:
    """Return the sentences of the contract that these fields, or the body as a whole, break."""
    if group.code == Outcome.CONFLICT:
        return [CODES[Outcome.CONFLICT]]
    found = [FIELDS[name][0] for name in sorted(fields) if name in FIELDS]
    return found or [CODES.get(group.code, CODES[Code.INVALID_EVENT])]


def when(incident: Incident) -> str:
    """Return since when and by which builds it is: `began 2026-05-26 14:02:10 UTC, all 412 from …, none from …`."""
    total = sum(one.count for one in (*incident.culprits, *incident.steady))
    names = " and ".join(f"{one.build} ({number(one.count)})" for one in incident.culprits)
    if len(incident.culprits) == 1 and not incident.steady:
        names = f"all {number(total)} from {incident.culprits[0].build}"
    elif incident.steady:
        names = f"of {number(total)} most from {names}"
    else:
        names = f"{number(total)} from {names}"
    text = f"began {second(incident.onset)} UTC, {names}"
    if incident.steady:
        text += "; as before from " + ", ".join(f"{one.build} ({number(one.count)})" for one in incident.steady)
    if incident.spared:
        text += f"; none from {', '.join(incident.spared[:5])}, which went on sending"
    return text


def passing(group: RejectionGroup, fields: Mapping[str, object]) -> dict[str, Any]:
    """Return the smallest event that passes with this key, with what is at fault put right."""
    event = {"event_name": FIELDS["event_name"][1]}
    event |= {name: FIELDS[name][1] for name in sorted(fields) if name in FIELDS and name != "events"}
    if group.code == Outcome.CONFLICT:
        event = {"event_name": event["event_name"], "event_id": "a-new-id-for-each-new-event"}
    if group.api_key.tags:
        event["tag_id"] = group.api_key.tags[0].replace("*", "1")
    return event


def curl(url: str, event: Mapping[str, Any]) -> str:
    """Return a command that has the event judged with the key in its sender's environment.

    `url` takes events; what it says of them without storing any is below it.
    """
    body = shlex.quote(json.dumps(event, ensure_ascii=False))
    return "\n".join(
        [f"curl -i {shlex.quote(f'{url}/validate')} \\", f'  -H "Authorization: Bearer {KEY}" \\',
         "  -H 'Content-Type: application/json' \\", f"  -d {body}"]
    )  # fmt: skip


def message(told: Told, url: str) -> str:
    """Return what to send to the sender. It holds nothing that an event said but names of fields."""
    group = told.row.group
    is_conflict = group.code == Outcome.CONFLICT
    fields = told.example.errors if told.example else {}
    lines = [
        f"Events that you send with the key {group.api_key.prefix} ({group.api_key.label}) are "
        + ("not stored: their event_id was used before, with another body." if is_conflict else "refused."),
        "",
        f"What: {group.code}: {group.message}",
        f"How many: {number(told.row.count)}, {told.range}"
        + (f"; {share(told.row.share)} of all that the key sent" if told.row.share is not None else ""),
        f"Last seen: {second(group.last_seen)} UTC",
    ]
    if told.incident is not None:
        lines.append(f"Since when: {when(told.incident)}")
    lines += ["", "The rule:", *(f"- {rule}" for rule in rules(group, fields))]
    if told.example is not None:
        cut = " (cut)" if told.example.body_size > MAX_KEPT_BODY else ""
        lines += ["", f"One of them{cut}, request {told.example.request_id}, its values masked:"]
        lines.append(masked(bytes(told.example.body)))
    lines += [
        "",
        "This passes, and is not stored by /validate; set THRAD_API_KEY to your key:",
        curl(url, passing(group, fields)),
    ]
    return "\n".join(lines)
