"""Rejections in a file, to be mended there."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
from django.db import models
from msgspec import Raw

from collect.backfills.formats.packing import Damaged, packer, unpacked
from collect.backfills.formats.records import Unreadable, on_one_line, out_of_line
from collect.backfills.run import STDOUT, BackfillError, Run, private
from collect.backfills.selection import Selection
from collect.backfills.walk import by_id
from collect.mending.step import CUT
from collect.models import Rejection
from collect.storage.rejections import MAX_KEPT_BODY

# Rejections that are in memory at a time, with bodies of up to 64 KiB.
_STEP = 100


class Line(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A line of a file of rejections. An `event` that is a text is a body that is no JSON."""

    rejection: int
    code: str = ""
    detail: str = ""
    event: Raw


_read_line = msgspec.json.Decoder(Line).decode


def read_bodies(path: str) -> dict[int, bytes]:
    """Return the mended bodies by rejection id. Each line of the file is `{"rejection": 7, "event": {…}}`.

    Raises `BackfillError` where the file or a line cannot be read.
    """
    try:
        with open(path, "rb") as file:
            lines = [(number, line) for number, line in enumerate(unpacked(file), 1) if line.strip()]
    except (OSError, Unreadable, *Damaged) as error:
        raise BackfillError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    bodies = {}
    for number, line in lines:
        try:
            found = _read_line(line)
            bodies[found.rejection] = out_of_line(found.event)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise BackfillError(f"{path}:{number}: {error}") from None
    return bodies


def rejections(
    codes: Sequence[str], ids: "Sequence[int] | set[int]", selection: Selection
) -> "models.QuerySet[Rejection]":
    """Return the rejections with these codes and ids (none: any), in the order in which they came.

    Raises `BackfillError` for an id that is not among those selected otherwise.
    """
    found = Rejection.objects.filter(selection.condition).order_by("id")
    if codes:
        found = found.filter(code__in=codes)
    if ids:
        found = found.filter(pk__in=ids)
        if unknown := set(ids) - set(found.values_list("pk", flat=True)):
            raise BackfillError(f"No such rejection is selected: {', '.join(map(str, sorted(unknown)))}")
    return found


# --- out -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RejectionExport:
    """Where to, and which rejections."""

    out: str
    codes: Sequence[str] = ()
    ids: Sequence[int] = ()
    selection: Selection = field(default_factory=Selection)


def export_rejections(options: RejectionExport, run: Run) -> int:
    """Write the rejections that were not replayed yet to a file; return how many were left out, being kept in part.

    The file is there only once it is whole. Raises `BackfillError` if it cannot be written, or for an unknown id.
    """
    found = rejections(options.codes, options.ids, options.selection).filter(replayed_as=None)
    run.begin(0.0)
    try:
        with ExitStack() as stack:
            file = None if run.dry_run else _opened(options.out, stack)
            _write(found, file, run)
    except BrokenPipeError:
        raise BackfillError("nobody reads the output any more") from None
    except OSError as error:
        raise BackfillError(f"{options.out}: {error.strerror or error}") from None
    if not run.dry_run and options.out != STDOUT:
        Path(f"{options.out}.part").replace(options.out)
    return run.counts[CUT]


def _opened(out: str, stack: ExitStack) -> BinaryIO:
    if out == STDOUT:
        return sys.stdout.buffer
    plain = stack.enter_context(open(f"{out}.part", "wb", opener=private))  # noqa: SIM115  # the stack closes it
    pack = packer(out)
    file: BinaryIO = plain if pack is None else stack.enter_context(pack(plain))
    return file


def _write(found: "models.QuerySet[Rejection]", file: BinaryIO | None, run: Run) -> None:
    total, done = found.count(), 0
    for step in by_id(found, _STEP):
        for rejection in step:
            is_whole = rejection.body_size <= MAX_KEPT_BODY
            run.counts["exported" if is_whole else CUT] += 1
            if is_whole and file is not None:
                file.write(msgspec.json.encode(_line(rejection)) + b"\n")
        done += len(step)
        run.advance(done, min(1.0, done / total) if total else None)
    if file is not None:
        file.flush()


def _line(rejection: Rejection) -> Line:
    event = on_one_line(bytes(rejection.body))
    return Line(rejection=rejection.pk, code=rejection.code, detail=rejection.detail, event=event)
