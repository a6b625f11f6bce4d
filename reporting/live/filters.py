"""By what the stream is filtered, in an address and in a command."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Q

from collect.models.queries import param_holds
from collect.storage.outcomes import Outcome
from keys.models import ApiKey
from reporting.ranges import BadRange
from reporting.views.columns import VALUE_LIMIT
from runtime.refusals import Code

STORED, REJECTED = "stored", "rejected"
# Whether the events and rejections of live keys are wanted, or those of test keys.
KINDS = {"live": False, "test": True}
# The codes of rejections that one can ask for.
CODES = (
    Outcome.CONFLICT,
    Code.INVALID_EVENT,
    Code.INVALID_JSON,
    Code.TOO_LARGE,
    Code.TAG_NOT_ALLOWED,
    Code.TIMEOUT,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.UNSUPPORTED_ENCODING,
)
OUTCOMES = (STORED, REJECTED, *(code.value for code in CODES))
# What an event is asked for by, under which name in an address.
COLUMNS = {
    "name": "event_name",
    "tag": "tag_id",
    "country": "geo_country",
    "browser": "ua_browser",
    "bot": "ua_bot_reason",
    "currency": "params__currency__iexact",
}


class BadFilter(BadRange):
    """The address or command filters by what is none."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted. Empty means any. A rejection has none of `COLUMNS`."""

    partner: int | None = None
    key: int | None = None
    kind: str = ""
    outcome: str = ""
    name: str = ""
    tag: str = ""
    country: str = ""
    browser: str = ""
    bot: str = ""
    currency: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The parameters of an address that name exactly this filter."""
        return {name: str(value) for name, value in asdict(self).items() if value}

    @property
    def _columns(self) -> dict[str, str]:
        """What is wanted of an event's columns."""
        return {column: value for name, column in COLUMNS.items() if (value := getattr(self, name))}

    @property
    def of_events(self) -> Q | None:
        """What no index knows of the wanted events; None if no event is wanted."""
        if self.outcome not in ("", STORED):
            return None
        wanted: dict[str, Any] = dict(self._columns)
        if self.key:
            wanted["api_key"] = self.key
        if self.kind:
            wanted["is_test"] = KINDS[self.kind]
        found = Q(**wanted)
        # Those whose value is added up in this currency: the list behind a sum.
        return found & param_holds("value", gt=-VALUE_LIMIT, lt=VALUE_LIMIT) if self.currency else found

    @property
    def of_rejections(self) -> Q | None:
        """What no index knows of the wanted rejections; None if no rejection is wanted."""
        if self._columns or self.outcome == STORED:
            return None
        found = Q(api_key=self.key) if self.key else Q()
        if self.kind:
            found &= Q(api_key__is_test=KINDS[self.kind])
        if self.outcome == REJECTED:
            return found & ~Q(code=Outcome.CONFLICT)
        return found & Q(code=self.outcome) if self.outcome else found


def of_query(query: Mapping[str, str]) -> Filter:
    """Return the filter that an address names. Raises `BadFilter` for what is none."""
    kind, outcome = _one_of(KINDS, query, "kind"), _one_of(OUTCOMES, query, "outcome")
    partner, key = (_number(query, name) for name in ("partner", "key"))
    if key is not None:
        # There is no index on the key, but one on its partner.
        owner = ApiKey.objects.filter(pk=key).values_list("partner", flat=True).first()
        if owner is None or partner not in (None, owner):
            raise BadFilter(f"key: there is none with the number {key} of this partner")
        partner = owner
    return Filter(partner, key, kind, outcome, **{name: query.get(name, "").strip() for name in COLUMNS})


def _one_of(known: Collection[str], query: Mapping[str, str], name: str) -> str:
    text = query.get(name, "").strip()
    if text and text not in known:
        raise BadFilter(f"{name}: one of {', '.join(known)}, not {text!r}")
    return text


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadFilter(f"{name}: a number, not {text!r}")
    return int(text)
