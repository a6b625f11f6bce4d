"""`manage.py update_geoip`: fetches a newer City database, verifies it, and replaces the old while the server runs."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from collect.enrichment.geoip_update import MaxMindAccount, UpdateError, update
from runtime.display import day


class Command(BaseCommand):
    """Fetches GeoLite2-City with a MaxMind account, or DB-IP City Lite without one."""

    help = (
        "Fetch a City database to GEOIP_PATH: GeoLite2-City where MAXMIND_ACCOUNT_ID and MAXMIND_LICENSE_KEY are "
        "set, else DB-IP City Lite (CC BY 4.0: name DB-IP.com where you show its data). Running servers pick it up."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options. The licence key is best given in the environment, which other users cannot list."""
        parser.add_argument("--account-id", default=os.environ.get("MAXMIND_ACCOUNT_ID"))
        parser.add_argument("--license-key", default=os.environ.get("MAXMIND_LICENSE_KEY"))
        parser.add_argument("--base-url", help="a mirror to ask instead (https, or http on loopback)")
        parser.add_argument("--dry-run", action="store_true", help="fetch and verify, but leave the file as it is")

    def handle(self, *args: Any, **options: Any) -> None:
        """Update the database and print what it is. Raises CommandError (exit status 1) if there is nothing new."""
        account_id, license_key = options["account_id"], options["license_key"]
        if bool(account_id) != bool(license_key):
            raise CommandError("MaxMind needs both MAXMIND_ACCOUNT_ID and MAXMIND_LICENSE_KEY")
        account = MaxMindAccount(account_id, license_key) if account_id else None
        target = Path(settings.GEOIP_PATH)
        try:
            new = update(target, account, options["base_url"], dry_run=options["dry_run"])
        except UpdateError as error:
            raise CommandError(str(error)) from error
        verb = "would be put at" if options["dry_run"] else "is at"
        self.stdout.write(f"{new.database_type} of {day(new.built_at)}, {new.size:,} bytes, {verb} {target}")
