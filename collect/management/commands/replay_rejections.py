"""`manage.py replay_rejections`: replays what was refused, after it was mended."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from collect.backfills.command import BackfillCommand
from collect.backfills.replaying import ReplayOptions, read_bodies, replay_rejections
from collect.backfills.run import Run
from collect.backfills.selection import Selection, find_partner, moment


def _assignment(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    return name, value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


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
        parser.add_argument("--code", action="append", default=[], help="of this code; may be given again")
        parser.add_argument("--id", action="append", default=[], type=int, help="this one; may be given again")
        parser.add_argument("--set", action="append", default=[], type=_assignment, metavar="NAME=VALUE",
                            help="set a field: the value is JSON if it can be read so, else text")  # fmt: skip
        parser.add_argument("--rename", action="append", default=[], type=_assignment, metavar="OLD=NEW",
                            help="rename a field")  # fmt: skip
        parser.add_argument("--file", metavar="FILE", help='mended bodies, a line each: {"rejection": 7, "event": {…}}')
        parser.add_argument("--partner", metavar="NAME", help="only this partner's")
        parser.add_argument("--since", type=moment, metavar="WHEN", help="received from this date on (UTC)")
        parser.add_argument("--until", type=moment, metavar="WHEN", help="received before this date (UTC)")

    def backfill(self, run: Run, options: Mapping[str, Any]) -> int:
        """Replay; return how many are still refused or were left. Raises CommandError for an unknown partner."""
        partner = None if options["partner"] is None else find_partner(options["partner"])
        return replay_rejections(
            ReplayOptions(
                codes=options["code"],
                ids=options["id"],
                set={name: _value(value) for name, value in options["set"]},
                rename=dict(options["rename"]),
                bodies={} if options["file"] is None else read_bodies(options["file"]),
                selection=Selection(partner, since=options["since"], until=options["until"]),
            ),
            run,
        )
