"""The partners and keys that an import names: found, or made where that is wanted."""

from collections.abc import Callable

from django.core.exceptions import ValidationError

from collect.intake import contract
from keys import history, lifecycle
from keys.models import ApiKey, Partner


class Partners:
    """Partners and keys by name. A dry run makes none, and gives partners that would be made negative ids."""

    def __init__(self, tell: Callable[[str], None], *, dry_run: bool) -> None:
        self._tell = tell
        self._dry_run = dry_run
        self._ids: dict[str, int] = {}
        self._keys: dict[tuple[int, str], int] = {}
        # The partner of each key that a dry run has met.
        self._foreseen: dict[str, int] = {}

    def id_of(self, name: str, *, create: bool = True) -> int:
        """Return the id of the partner of this name. If there is none, make it if `create`.

        Raises `Refusal` if there is none and none is to be made, and for a name that no partner can have.
        """
        if name not in self._ids:
            found = Partner.objects.filter(name=name).first() or self._made(name, create=create)
            self._ids[name] = found.pk
        return self._ids[name]

    def _made(self, name: str, *, create: bool) -> Partner:
        partner = Partner(name=name)
        try:
            partner.clean_fields(exclude={"id"})
            if not create:
                words = f"{Partner.objects.all().unknown(name)} --create-partner makes a new one."
                raise contract.invalid_event({"partner": [words]})
            partner.clean()
        except ValidationError as error:
            raise contract.invalid_event({"partner": error.messages}) from None
        self._tell(f"{'Would make' if self._dry_run else 'Made'} the partner {name}.")
        if self._dry_run:
            partner.pk = -1 - len(self._ids)
        else:
            partner.save()
        return partner

    def key_of(self, partner_id: int, prefix: str) -> int | None:
        """Return the id of the partner's key with this prefix, making one that opens nothing; None in a dry run.

        Raises `Refusal` for the key of another partner.
        """
        if self._dry_run:
            self._foresee(partner_id, prefix)
            return None
        if (partner_id, prefix) not in self._keys:
            try:
                key = lifecycle.remember(Partner(pk=partner_id), prefix, history.command())
            except ValueError as error:
                raise contract.invalid_event({"api_key": [str(error)]}) from None
            self._keys[partner_id, prefix] = key.pk
        return self._keys[partner_id, prefix]

    def _foresee(self, partner_id: int, prefix: str) -> None:
        if prefix not in self._foreseen:
            key = ApiKey.objects.filter(prefix=prefix).first()
            self._foreseen[prefix] = partner_id if key is None else key.partner_id
        if self._foreseen[prefix] != partner_id:
            raise contract.invalid_event({"api_key": [lifecycle.ANOTHERS]})
