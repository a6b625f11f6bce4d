"""`manage.py rejections`: what is refused and why, cause by cause, and with `--group` what to tell its sender."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from collect.models import RejectionGroup
from keys.management.arguments import find_key
from keys.models import Partner
from reporting import ranges
from reporting.ranges import Range
from reporting.rejections import groups, telling
from reporting.rejections.groups import GroupFilter
from reporting.rejections.report import report
from runtime.display import number, on_terminal, second, share


class Command(BaseCommand):
    """Prints the groups as a table, or one group with the message for its sender."""

    help = "Show what is refused, cause by cause; with --group, since when, by which build, and what to tell whom."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--range", default="24h", help=f"one of {', '.join(ranges.LENGTHS)} (24h)")
        parser.add_argument("--from", dest="start", default="", help="in the place of --range: from this moment, UTC")
        parser.add_argument("--until", default="", help="until this moment, UTC")
        parser.add_argument("--partner", help="the name of a partner")
        parser.add_argument("--key", help="the prefix of a key")
        parser.add_argument("--code", choices=[*telling.CODES], help="why events are refused")
        parser.add_argument("--state", choices=groups.STATES)
        parser.add_argument("--order", choices=groups.ORDERS, default=groups.COUNT)
        parser.add_argument("--group", type=int, help="the id of a group, as the table has it")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="this server, as the sender knows it")
        parser.add_argument("--json", action="store_true", help="all that is known, as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the groups. Raises CommandError for a filter that is none."""
        within = _range(options)
        if options["group"] is not None:
            self._tell(options["group"], within, options)
            return
        rows = groups.listed(self._filter(within, options), options["order"])
        if options["json"]:
            self._print_json({"range": str(within), "groups": [row.as_data() for row in rows]})
            return
        table = [_line(row.as_data()) for row in rows]
        self.stdout.write(f"{within}: {'nothing was refused' if not rows else f'{len(rows)} causes'}")
        for line in _aligned([HEADINGS, *table]) if table else []:
            self.stdout.write(line)

    def _tell(self, group: int, within: Range, options: dict[str, Any]) -> None:
        found = RejectionGroup.objects.select_related("partner", "api_key").filter(pk=group).first()
        if found is None:
            raise CommandError(f"There is no group {group}")
        told = report(found, within, f"{options['url'].rstrip('/')}/api/collect")
        if options["json"]:
            self._print_json(told)
            return
        for line in told["message_for_sender"].split("\n"):
            self.stdout.write(on_terminal(line))

    def _print_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder, indent=2))

    def _filter(self, within: Range, options: dict[str, Any]) -> GroupFilter:
        partner = None
        if name := options["partner"]:
            partner = Partner.objects.filter(name=name).first()
            if partner is None:
                raise CommandError(Partner.objects.unknown(name))
        key = find_key(options["key"], self.stderr.write) if options["key"] else None
        return GroupFilter(
            within,
            partner=partner.pk if partner else None,
            key=key.pk if key else None,
            code=options["code"],
            state=options["state"],
        )


HEADINGS = ("group", "count", "share", "state", "last seen (UTC)", "partner", "key", "what")


def _range(options: dict[str, Any]) -> Range:
    times = {"from": options["start"], "until": options["until"], "range": options["range"]}
    query = {name: value for name, value in times.items() if value}
    try:
        return ranges.of_query(query)
    except ranges.BadRange as error:
        raise CommandError(str(error)) from None


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    part = "-" if row["share"] is None else share(row["share"])
    what = f"{row['code']}: {row['message']}"
    return (
        str(row["id"]), number(row["count"]), part, row["state"], second(row["last_seen"]),
        on_terminal(row["partner"]), row["key"], on_terminal(what),
    )  # fmt: skip


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines whose columns stand below each other. The first three are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place < 3 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
