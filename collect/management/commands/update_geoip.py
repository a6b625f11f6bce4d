"""`manage.py update_geoip`: fetches a newer City database, verifies it, and replaces the old while the server runs."""

import os
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from collect.enrichment.geoip_update import MaxMindAccount, Origin, UpdateError, dbip, local, maxmind, update
from runtime.display import day


class Command(BaseCommand):
    """Fetches GeoLite2-City with a MaxMind account, or DB-IP City Lite without one; or takes a file."""

    help = (
        "Fetch a City database to GEOIP_PATH: GeoLite2-City where MAXMIND_ACCOUNT_ID and MAXMIND_LICENSE_KEY are "
        "set, else DB-IP City Lite (CC BY 4.0: name DB-IP.com where you show its data); or take the file that --file "
        "names. Every record is read before the file is put in place. Running servers pick it up."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options. The licence key is best given in the environment, which other users cannot list."""
        parser.add_argument("--account-id", default=os.environ.get("MAXMIND_ACCOUNT_ID"))
        parser.add_argument("--license-key", default=os.environ.get("MAXMIND_LICENSE_KEY"))
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--base-url", help="a mirror to ask instead (https, or http on loopback)")
        where.add_argument("--file", type=Path, help="install this file instead: .mmdb, or packed as .gz or .tar.gz")
        parser.add_argument("--dry-run", action="store_true", help="fetch and verify, but leave the file as it is")

    def handle(self, *args: Any, **options: Any) -> None:
        """Update the database and print what it is. Raises CommandError (exit status 1) if there is nothing new."""
        target = Path(settings.GEOIP_PATH)
        try:
            new = update(target, _origin(options), dry_run=options["dry_run"])
        except UpdateError as error:
            raise CommandError(f"{error}. {_left(target)}") from error
        verb = "would be put at" if options["dry_run"] else "is at"
        self.stdout.write(f"{new.database_type} of {day(new.built_at)}, {new.size:,} bytes, {verb} {target}.")
        if not options["dry_run"]:
            self.stdout.write(
                "Running servers read it by themselves; reenrich_events --geo looks stored events up again."
            )


def _origin(options: Mapping[str, Any]) -> Origin:
    """Return where the database comes from. Raises CommandError for half an account."""
    account_id, license_key = options["account_id"], options["license_key"]
    if options["file"] is not None:
        return local(Path(options["file"]))
    if bool(account_id) != bool(license_key):
        raise CommandError("MaxMind needs both MAXMIND_ACCOUNT_ID and MAXMIND_LICENSE_KEY")
    if account_id:
        return maxmind(MaxMindAccount(account_id, license_key), options["base_url"])
    return dbip(options["base_url"])


def _left(target: Path) -> str:
    return f"{target} is as it was" if target.exists() else f"There is still no {target}, and geo columns stay null"
