"""`manage.py replay_rejections`: replays what was refused, after it was mended."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from collect.backfills.command import BackfillCommand
from collect.backfills.mending import NUMBER, TEXT, TYPES, as_type, read_bodies
from collect.backfills.replaying import ReplayOptions, replay_rejections
from collect.backfills.run import Run
from collect.backfills.selection import Selection, find_partner


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


def _set(text: str) -> tuple[str, Any]:
    left, value = _assigned(text)
    name, type = _field(left)
    return name, _value(value, type)


def _rename(text: str) -> tuple[str, str, str | None]:
    old, new = _assigned(text)
    return old, *_field(new)


def _value(text: str, type: str | None) -> Any:
    if type == TEXT:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(as_type(json.dumps(text).encode(), NUMBER)) if type == NUMBER else text


class Command(BackfillCommand):
    """Replays rejections. The exit status is 3 if any is still refused or was left."""

    unit = "rejections"
    has_checkpoint = False
    help = (
        "Send kept rejections through the contract again, mended by --set and --rename or by a file. The new event has "
        "the key, address and time of the rejection, which is linked to it; it is never replayed twice."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that select rejections, and those that mend them."""
        super().add_arguments(parser)
        Selection.add_rejection_arguments(parser)
        parser.add_argument("--set", action="append", default=[], type=_set, metavar="NAME[:TYPE]=VALUE",
                            help="set a field: the value is JSON if it can be read so, else text")  # fmt: skip
        parser.add_argument("--rename", action="append", default=[], type=_rename, metavar="OLD=NEW[:TYPE]",
                            help=f"rename a field, and turn it into a type: {', '.join(TYPES)}")  # fmt: skip
        parser.add_argument("--file", metavar="FILE", help="mended bodies, as export_rejections writes them")

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Replay; return how many are still refused or were left. Raises CommandError for an unknown partner."""
        partner = None if options["partner"] is None else find_partner(options["partner"])
        return replay_rejections(
            ReplayOptions(
                codes=options["code"],
                ids=options["id"],
                set=dict(options["set"]),
                rename={old: new for old, new, _ in options["rename"]},
                types={new: type for _, new, type in options["rename"] if type is not None},
                bodies={} if options["file"] is None else read_bodies(options["file"]),
                selection=Selection(partner, since=options["since"], until=options["until"]),
            ),
            run,
        )
