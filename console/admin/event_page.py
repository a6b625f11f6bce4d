"""What the page of an event shows besides its columns, also as JSON: why, as it was sent, and what belongs to it."""

import shlex
from dataclasses import asdict
from typing import Any

import msgspec
from django.http import HttpRequest
from django.urls import reverse

from collect.models import Event, Rejection
from console.admin.read_only import CUT
from console.pages.search import event_data
from reporting import pretty
from reporting.events import explanation, one_event
from reporting.events.one_event import Texts

# Where the key belongs in a command that somebody copies. A stored event does not have it.
KEY = "YOUR_API_KEY"


def shown(request: HttpRequest, event: Event, texts: Texts) -> dict[str, Any]:
    """Return what the page shows: the event as it was sent indented or, if it is too long, its beginning alone."""
    found = data(request, event, texts)
    sent = pretty.cut(pretty.indented(found["sent"].encode()))
    return found | {"sent": sent.text, "cut": CUT} if sent.is_cut else found | {"sent": sent.text}


def data(request: HttpRequest, event: Event, texts: Texts) -> dict[str, Any]:
    """Return all of it that the user may see, as values that msgspec knows."""
    sent = one_event.as_sent(event, texts)
    neighbours = one_event.neighbours_of(event)
    may_see = request.user.has_perm("collect.view_rejection")
    rejections = one_event.rejections_of(event) if may_see else ()
    return {
        "why": [asdict(reason) for reason in explanation.of(event)],
        "sent": sent,
        "curl": curl(request.build_absolute_uri("/api/collect"), sent),
        "rejections": [_rejection(rejection, event) for rejection in rejections],
        "earlier": [event_data(found) for found in neighbours.earlier],
        "later": [event_data(found) for found in neighbours.later],
    }


def as_json(request: HttpRequest, event: Event, texts: Texts) -> bytes:
    """Return the event with all that its page shows as JSON, in which numbers stand as they were sent."""
    found = data(request, event, texts)
    found["sent"] = msgspec.Raw(found["sent"].encode())
    return msgspec.json.encode({"event": one_event.as_stored(event, texts), **found})


def curl(url: str, sent: str) -> str:
    """Return a shell command that sends the event once more, with the key left out."""
    words = ["curl", "-i", url, "-H", f"Authorization: Bearer {KEY}", "-H", "Content-Type: application/json"]
    return shlex.join([*words, "--data-raw", sent])


def _rejection(rejection: Rejection, event: Event) -> dict[str, Any]:
    return {
        "id": rejection.pk,
        "received_at": rejection.received_at,
        "outcome": rejection.code if rejection.replayed_as != event.pk else "replayed",
        "detail": rejection.detail,
        "api_key": rejection.api_key.prefix,
        "request_id": rejection.request_id,
        "address": reverse("admin:collect_rejection_change", args=[rejection.pk]),
    }
