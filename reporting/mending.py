"""What the console shows of mends: how one went, what would mend a rejection, and what a mend makes of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import Any

import msgspec
from msgspec import Raw

from collect.intake import contract, hints
from collect.mending import operations as operations_of
from collect.mending import paths
from collect.mending import step as steps
from collect.mending.operations import Delete, Operation, Rename, Set, ToJson, ToNumber, ToSeconds, ToText, mended
from collect.mending.step import Fate, Judge
from collect.models import Mend, Rejection
from collect.storage.rejections import MAX_KEPT_BODY
from reporting import pretty
from runtime.refusals import Refusal

# Mends that a group's page tells of, and reasons in a sentence.
SHOWN, REASONS = 10, 5
# Of an example's body so much is shown.
MAX_LINES, MAX_CHARACTERS = 400, 20_000


def of_group(group: int) -> list[dict[str, Any]]:
    """Return the last mends of a group, the newest first."""
    return [state(mend) for mend in Mend.objects.filter(group=group).select_related("preview").order_by("-id")[:SHOWN]]


def state(mend: Mend) -> dict[str, Any]:
    """Return how a mend went or goes."""
    return {
        "id": mend.pk,
        "kind": mend.kind,
        "state": mend.state,
        "is_open": mend.is_open,
        "operations": [str(one) for one in _operations(mend)],
        "total": mend.total,
        "done": mend.done,
        "counts": mend.counts,
        "reasons": mend.reasons,
        "would_store": mend.counts.get(steps.STORED, 0),
        "sentence": sentence(mend),
        "foreseen": _foreseen(mend),
        "fault": mend.fault,
        "preview": mend.preview_id,
        "requested_by": mend.requested_by_name,
        "created_at": mend.created_at,
        "started_at": mend.started_at,
        "finished_at": mend.finished_at,
    }


def _foreseen(mend: Mend) -> str:
    """Return what the preview had said, if what was replayed is something else."""
    preview = mend.preview
    is_same = preview is None or mend.state != Mend.State.DONE or preview.counts == mend.counts
    return "" if preview is None or is_same else sentence(preview)


def _operations(mend: Mend) -> list[Operation]:
    try:
        return operations_of.read(mend.operations)
    except ValueError:  # of another version
        return []


def sentence(mend: Mend) -> str:
    """Return what became, or would become, of the rejections, in words: `412: 398 would be stored, …`."""
    counts = dict(mend.counts)
    stored, duplicates = counts.pop(steps.STORED, 0), counts.pop(steps.DUPLICATE, 0)
    refused = sum(number for what, number in counts.items() if what.startswith(steps.REFUSED))
    would_be = mend.kind == Mend.Kind.PREVIEW
    parts = [f"{stored:,} would be stored" if would_be else f"{_were(stored)} stored"]
    if duplicates:
        parts.append(f"{duplicates:,} {'is a duplicate' if duplicates == 1 else 'are duplicates'}")
    if refused:
        parts.append(f"{refused:,} {'is' if refused == 1 else 'are'} still refused: {_reasons(mend.reasons)}")
    words = {steps.EARLIER: "replayed before", steps.GONE: "pruned or erased meanwhile", steps.CUT: "kept in part only"}
    parts[1:1] = [
        f"{counts[what]:,} {'was' if counts[what] == 1 else 'were'} {said}"
        for what, said in words.items()
        if what in counts
    ]
    of = f"{mend.done:,} of {mend.total or 0:,}" if mend.state == Mend.State.CANCELLED else f"{mend.done:,}"
    return f"{of}: {', '.join(parts)}"


def _were(number: int) -> str:
    return f"{number:,} {'was' if number == 1 else 'were'}"


def _reasons(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    told = [f"{why} ({number:,})" for why, number in ordered[:REASONS]]
    rest = sum(number for _, number in ordered[REASONS:])
    return "; ".join([*told, f"other reasons ({rest:,})"] if rest else told)


# --- what would mend it ---


def suggestions(rejection: Rejection) -> list[list[Operation]]:
    """Return the operations that its refusal makes likely, each list a mend of its own."""
    fields = paths.fields_of(Raw(bytes(rejection.body))) or {}
    found = [mend for name, told in rejection.errors.items() for mend in _of_fault(name, " ".join(told), fields)]
    there = {name for name, value in fields.items() if bytes(value) != contract.NULL}
    for hint in hints.among(fields, there.__contains__):
        if hint.field != hints.ADDRESS and hint.field not in rejection.errors:
            found.append([Rename(_path(hint.sent), hint.field)])
    if rejection.code == "tag_not_allowed":
        found += [
            [Set("tag_id", Raw(msgspec.json.encode(tag)))] for tag in rejection.api_key.tags[:3] if "*" not in tag
        ]
    return found


def _path(*names: str) -> str:
    return paths.spelled(names)


def _of_fault(name: str, told: str, fields: Mapping[str, Raw]) -> Iterator[list[Operation]]:
    path, first = _path(name), bytes(fields.get(name, Raw(b" ")))[:1]
    if "required" in told or "must not be blank" in told:
        meant = hints.among((sent for sent in fields if sent != name), lambda field: field != name)
        for hint in meant:
            yield [Rename(_path(hint.sent), name)]
        if not meant:
            yield [Set(path, Raw(b'"custom"'))]
    elif "must be a string" in told and first in b"-0123456789tf":
        yield [ToText(path)]
    elif "must be a number" in told and first == b'"':
        yield [ToNumber(path)]
    elif "microseconds" in told:
        yield [ToSeconds(path)]
    elif "nanoseconds" in told:
        yield [ToSeconds(path), ToSeconds(path)]
    elif "must be an object" in told:
        yield [ToJson(path)] if first == b'"' else [Delete(path)]


# --- an example ---


def example(rejection: Rejection, operations: Sequence[Operation]) -> dict[str, Any]:
    """Return a rejection's body before and after the operations, line by line, and whether it would be accepted.

    There is nothing after operations that would make it larger than an event can be.
    """
    body = bytes(rejection.body)
    try:
        new = mended(body, operations)
        fate = _fate(rejection, new)
    except Refusal as refusal:
        new, fate = b"", Fate(steps.REFUSED + refusal.code, refusal.detail)
    before, after = _lines(body), _lines(new)
    same = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return {
        "rejection": rejection.pk,
        "before": _marked(before, [(block.a, block.size) for block in same]),
        "after": _marked(after, [(block.b, block.size) for block in same]),
        "is_changed": before != after,
        "is_accepted": fate.what == steps.STORED,
        "was_replayed": fate.what == steps.EARLIER,
        "fault": fate.why or ("" if fate.what == steps.STORED else fate.what),
    }


def _fate(rejection: Rejection, body: bytes) -> Fate:
    """Return what would become of the rejection with this body, unless its own was kept in part only."""
    is_whole = rejection.body_size <= MAX_KEPT_BODY
    return Judge(bodies={rejection.pk: body} if is_whole else {})(rejection).fate


def _lines(body: bytes) -> list[str]:
    return list(islice(pretty.indented(body)[:MAX_CHARACTERS].splitlines(), MAX_LINES))


def _marked(lines: list[str], blocks: Iterable[tuple[int, int]]) -> list[dict[str, Any]]:
    """Return the lines, each with whether it is in none of the blocks (first line, lines) that both sides have."""
    same = {number for first, size in blocks for number in range(first, first + size)}
    return [{"text": line, "is_changed": number not in same} for number, line in enumerate(lines)]
