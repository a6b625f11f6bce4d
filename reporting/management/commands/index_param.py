"""`manage.py index_param`: an index on one key of `params`, for those who ask for its values often."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from collect.params import upkeep
from collect.params.paths import BadQuery
from runtime import failures
from runtime.display import on_terminal


class Command(BaseCommand):
    """Makes, drops and lists the indexes that `Event.objects.where_param` uses."""

    help = "Make an index on one key of params, so that where_param need not read all events. Each slows inserts down."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("key", nargs="?", metavar="KEY", help="a key of params itself; a dot is part of the key")
        parser.add_argument("--drop", action="store_true", help="drop the index of the key")
        parser.add_argument("--list", action="store_true", help="show the indexes that there are")
        parser.add_argument("--dry-run", action="store_true", help="show the SQL, and run none of it")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what was asked. Raises CommandError for a wrong key, or if the database fails."""
        key = options["key"]
        if options["list"] == (key is not None):
            raise CommandError("KEY: name one key of params, or give --list alone")
        try:
            if options["list"]:
                self._list()
            elif options["drop"]:
                self._drop(key, is_dry=options["dry_run"])
            else:
                self._make(key, is_dry=options["dry_run"])
        except BadQuery as error:
            raise CommandError(str(error)) from None
        except Error as error:
            raise CommandError(on_terminal(failures.in_words(error) or failures.reason(error))) from error

    def _list(self) -> None:
        there = upkeep.listed()
        if not there:
            self.stdout.write("No key of params has an index.")
            return
        rows = [("index", "size", "scans", "key")]
        for index in there:
            scans = "-" if index.scans is None else f"{index.scans:,}"
            broken = "" if index.is_whole else "  (broken off: drop it, or make it anew)"
            rows.append((index.name, index.size, scans, on_terminal(index.key) + broken))
        for name, size, scans, key in rows:
            self.stdout.write(f"{name:<29}{size:>9}{scans:>9}  {key}")

    def _make(self, key: str, *, is_dry: bool) -> None:
        statements = upkeep.making(key)
        there = upkeep.found(key)
        if there is not None and there.is_whole:
            raise CommandError(f"KEY: {on_terminal(repr(key))} has an index already, {there.name}")
        if there is not None:
            statements = [*upkeep.dropping(key), *statements]
        self._run(statements, is_dry=is_dry)
        if not is_dry and (made := upkeep.found(key)) is not None:
            self.stdout.write(f"The index of {on_terminal(repr(key))} is made: {made.name}, {made.size}.")

    def _drop(self, key: str, *, is_dry: bool) -> None:
        if upkeep.found(key) is None:
            raise CommandError(f"KEY: {on_terminal(repr(key))} has no index; --list shows those that there are")
        self._run(upkeep.dropping(key), is_dry=is_dry)
        if not is_dry:
            self.stdout.write(f"The index of {on_terminal(repr(key))} is dropped.")

    def _run(self, statements: list[str], *, is_dry: bool) -> None:
        for statement in statements:
            self.stdout.write(f"{on_terminal(statement)};")
            began = time.monotonic()
            if not is_dry:
                upkeep.run([statement])
                self.stdout.write(f"  {time.monotonic() - began:,.1f} s")
