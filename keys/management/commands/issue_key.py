"""`manage.py issue_key`: issues a new key. Standard output gets the raw key and nothing else."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from keys import history, lifecycle
from keys.models import ApiKey, Partner
from runtime.display import on_terminal


class Command(BaseCommand):
    """Issues a key, and makes its partner if there is none of that name, nor of one that comes near."""

    help = "Issue an API key. The raw key, alone, goes to standard output, this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--partner", required=True, metavar="NAME", help="made if there is none")
        parser.add_argument(
            "--create-partner", action="store_true", help="make the partner even if the name of another comes near"
        )
        parser.add_argument("--label", required=True, help="what the key is for")
        parser.add_argument("--test", action="store_true", help="events of this key are marked as test")
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")

    @transaction.atomic
    def handle(self, *_args: Any, **options: Any) -> None:
        """Issue the key and print it.

        Raises CommandError where the name or the label is blank or too long, or where another partner may be meant.
        """
        key = ApiKey(label=options["label"].strip(), is_test=options["test"])
        key.partner, is_new = self._partner(options["partner"].strip(), create=options["create_partner"])
        self._check(key, exclude={"partner", "prefix", "digest"})
        kind = "test" if key.is_test else "live"
        words = f"a {kind} key for {'the new ' if is_new else ''}partner {on_terminal(key.partner.name)}"
        if options["dry_run"]:
            transaction.set_rollback(True)
            self.stderr.write(f"Would issue {words}.")
            return
        raw_key = lifecycle.issue(key, history.command())
        self.stderr.write(f"Issued {words}: {key.prefix}. The key itself is not shown again:")
        self.stdout.write(raw_key)

    def _partner(self, name: str, *, create: bool) -> tuple[Partner, bool]:
        self._check(Partner(name=name), exclude={"id"})
        partners = Partner.objects.all()
        # Most first keys are for a new partner, so that only a name which may be a slip asks for the option.
        if not create and not partners.filter(name=name).exists() and partners.nearest(name):
            raise CommandError(f"{partners.unknown(name)} --create-partner makes a new one.")
        return Partner.objects.get_or_create(name=name)

    def _check(self, instance: ApiKey | Partner, exclude: set[str]) -> None:
        try:
            instance.clean_fields(exclude=exclude)
            if isinstance(instance, Partner):
                instance.clean()
        except ValidationError as exc:
            raise CommandError(
                "; ".join(f"{name}: {' '.join(told)}" for name, told in exc.message_dict.items())
            ) from None
