"""`manage.py replay_rejections`: replays what was refused, after it was mended."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from collect.backfills.command import BackfillCommand
from collect.backfills.formats import tables
from collect.backfills.mending import read_bodies
from collect.backfills.replaying import ReplayOptions, replay_rejections
from collect.backfills.run import Run
from collect.backfills.selection import Selection, find_partner
from collect.mending import paths
from collect.mending.conversions import NUMBER, TEXT, TYPES, as_type
from collect.mending.operations import OF_TYPE, Delete, Move, Operation, Rename, Set, ToMilliseconds, ToSeconds, Wrap


def _assigned(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    return name, value


def _field(text: str) -> tuple[str, str | None]:
    """Return a field's name, and the type behind its last colon; a colon with nothing behind it ends a name alone."""
    name, _, type = text.rpartition(":") if ":" in text else (text, "", "")
    if type and type not in TYPES:
        raise argparse.ArgumentTypeError(
            f"{type!r} is no type: write {', '.join(TYPES)}; a field of the name {text!r} is written {f'{text}:'!r}"
        )
    if not name:
        raise argparse.ArgumentTypeError(f"{text!r} names no field")
    return name, type or None


def _of(make: Callable[[str], list[Operation]]) -> Callable[[str], list[Operation]]:
    """Return an option's type, of which what is wrong is told as an option's fault is."""

    def made(text: str) -> list[Operation]:
        try:
            return make(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return made


def _set(text: str) -> list[Operation]:
    left, value = _assigned(text)
    path, type = _field(left)
    return [Set(path, Raw(_value(value, type)))]


def _rename(text: str) -> list[Operation]:
    old, new = _assigned(text)
    name, type = _field(new)
    path = paths.parse(old)
    renamed = paths.spelled((*path[:-1], name))
    made: list[Operation] = [] if path[-1] == name else [Rename(old, name)]
    return made if type is None else [*made, OF_TYPE[type](renamed)]


def _value(text: str, type: str | None) -> bytes:
    if type == TEXT:
        return msgspec.json.encode(text)
    value = tables.literal(text)
    return as_type(value, NUMBER) if type == NUMBER else value


# The options that mend, each with what it makes of its text; they are applied in the order in which they are given.
_OPERATIONS: list[tuple[str, str, Callable[[str], list[Operation]], str]] = [
    ("--set", "PATH[:TYPE]=VALUE", _set, "set a field: the value is JSON if it can be read so, else text"),
    ("--rename", "PATH=NAME[:TYPE]", _rename, f"rename a field, and turn it into a type: {', '.join(TYPES)}"),
    ("--move", "PATH=PATH", lambda text: [Move(*_assigned(text))], "move a field, also into another object"),
    ("--delete", "PATH", lambda text: [Delete(text)], "take a field away"),
    ("--seconds", "PATH", lambda text: [ToSeconds(text)], "turn milliseconds into seconds"),
    ("--milliseconds", "PATH", lambda text: [ToMilliseconds(text)], "turn seconds into milliseconds"),
    ("--wrap", "NAME", lambda text: [Wrap(text)], "move a field into params; an empty name is all unknown ones"),
]


class Command(BackfillCommand):
    """Replays rejections. The exit status is 3 if any is still refused or was left."""

    unit = "rejections"
    has_checkpoint = False
    help = (
        "Send kept rejections through the contract again, mended by operations or by a file. The new event has "
        "the key, address and time of the rejection, which is linked to it; it is never replayed twice."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that select rejections, and those that mend them."""
        super().add_arguments(parser)
        Selection.add_rejection_arguments(parser)
        for option, metavar, make, text in _OPERATIONS:
            parser.add_argument(option, dest="operations", action="append", default=[], type=_of(make), metavar=metavar,
                                help=text)  # fmt: skip
        parser.add_argument("--file", metavar="FILE", help="mended bodies, as export_rejections writes them")

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Replay; return how many are still refused or were left. Raises CommandError for an unknown partner."""
        partner = None if options["partner"] is None else find_partner(options["partner"])
        return replay_rejections(
            ReplayOptions(
                codes=options["code"],
                ids=options["id"],
                operations=[one for made in options["operations"] for one in made],
                bodies={} if options["file"] is None else read_bodies(options["file"]),
                selection=Selection(partner, since=options["since"], until=options["until"]),
            ),
            run,
        )
