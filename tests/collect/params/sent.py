"""Events with given params, stored as senders' events are; and a small model of `where_param` to hold it to."""

import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from collect import assembly
from collect.intake import contract
from collect.intake.source import Source
from collect.models import Event
from collect.storage import store
from collect.storage.rows import Arrival

ABSENT = object()


def keep(source: Source, documents: Iterable[str]) -> dict[str, Event]:
    """Store an event for each text of `params`, in the notation that it has; the events by these texts."""
    arrivals = {}
    for number, text in enumerate(documents):
        body = f'{{"event_name": "custom", "tag_id": "t", "event_id": "{number}", "params": {text}}}'.encode()
        arrivals[text] = Arrival.of(assembly.build(contract.decode(body), source), body, "r")
    written = store.write([*arrivals.values()])
    assert len(written) == len(arrivals)
    return {text: Event.objects.get(pk=arrival.row.id) for text, arrival in arrivals.items()}


def read(text: str) -> Any:
    """A JSON text with its numbers as fractions, so that none is rounded."""
    return json.loads(text, parse_int=Fraction, parse_float=Fraction)


def model(value: Any, path: Sequence[str], conditions: dict[str, Any]) -> bool:
    """Whether `where_param` has to find the params that were read as `value`."""
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step in map(str, range(len(value))):
            value = value[int(step)]
        else:
            value = ABSENT
            break
    return all(_is_so(value, name, wanted) for name, wanted in conditions.items())


def _is_so(value: Any, name: str, wanted: Any) -> bool:
    if name == "exists":
        return (value is ABSENT) is not wanted
    if name == "is_null":
        return value is not ABSENT and (value is None) is wanted
    wanted = wanted if isinstance(wanted, str | bool) else Fraction(str(wanted))
    if name == "contains":
        if isinstance(value, str):
            return isinstance(wanted, str) and wanted in value
        return isinstance(value, list) and any(type(one) is type(wanted) and one == wanted for one in value)
    if type(value) is not type(wanted):
        return False
    signs: dict[str, bool] = {"eq": value == wanted, "gt": value > wanted, "lt": value < wanted}
    signs |= {"gte": value >= wanted, "lte": value <= wanted}
    return signs[name]
