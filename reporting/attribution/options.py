"""What a person may choose of the report and of `why`. What cannot be read is refused, never guessed."""

from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from keys.management.arguments import duration
from reporting.attribution import sources
from reporting.attribution.rules import IN_WORDS, Model, Rules
from reporting.reports.question import BadQuestion


class Booked(StrEnum):
    """The date under which a credit is booked, and by which it is in a range."""

    CONVERSION = "conversion"
    TOUCH = "touch"


# The options of the rules, which `why` has too: the default of each, and what it is. Then those of the report alone.
OF_RULES = {
    "model": ("last", "how the credit of a conversion is divided"),
    "click-window": ("30d", "how long before a conversion a click may be, such as 7d, 36h or 90m"),
    "view-window": ("1d", "how long before a conversion a view may be"),
}
OF_REPORT = {
    **OF_RULES,
    "booked": ("conversion", "by which date a credit counts, and is in the range"),
    "by": ("conversion,kind", f"what the credit is listed by: one or more of {', '.join(sources.SOURCES)}"),
}
CHOICES = {"model": tuple(Model), "booked": tuple(Booked)}
_UNITS = (
    (timedelta(days=1), "d"),
    (timedelta(hours=1), "h"),
    (timedelta(minutes=1), "min"),
    (timedelta(seconds=1), "s"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the report is asked."""

    rules: Rules
    booked: Booked
    by: tuple[str, ...]

    def stated(self) -> dict[str, str]:
        """Return what the answer depends on, in words."""
        return {**stated(self.rules), "booked by": f"{self.booked} date", "credit by": ", ".join(self.by)}


def options_of(given: Mapping[str, str]) -> Options:
    """Return the options of the report. Raises `BadQuestion` for one that is none."""
    chosen = _chosen(given, OF_REPORT)
    by = tuple(name.strip() for name in chosen["by"].split(","))
    for name in by:
        if name not in sources.SOURCES:
            raise BadQuestion(f"by: some of {', '.join(sources.SOURCES)}, with commas between; not {name!r}")
    return Options(_rules(chosen), Booked(chosen["booked"]), tuple(dict.fromkeys(by)))


def rules_of(given: Mapping[str, str]) -> Rules:
    """Return the rules that these options choose. Raises `BadQuestion` for one that is none."""
    return _rules(_chosen(given, OF_RULES))


def _rules(chosen: Mapping[str, str]) -> Rules:
    return Rules(Model(chosen["model"]), _window(chosen, "click-window"), _window(chosen, "view-window"))


def _window(chosen: Mapping[str, str], name: str) -> timedelta:
    try:
        return duration(chosen[name])
    except ArgumentTypeError as error:
        raise BadQuestion(f"{name}: {error}") from None


def _chosen(given: Mapping[str, str], known: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return each of the known options, with its default where it is not given."""
    for name, value in given.items():
        if name not in known:
            raise BadQuestion(f"{name}: attribution has no such option; it has {', '.join(known)}")
        if value not in CHOICES.get(name, (value,)):
            raise BadQuestion(f"{name}: one of {', '.join(CHOICES[name])}, not {value!r}")
    return {name: default for name, (default, _) in known.items()} | dict(given)


def stated(rules: Rules) -> dict[str, str]:
    """Return what rules are, in words."""
    return {
        "model": f"{rules.model}: {IN_WORDS[rules.model]}",
        "click window": in_words(rules.click_window),
        "view window": in_words(rules.view_window),
        "order": "clicks before views, then the latest first",
        "matched by": "the same partner, and click_id, impression_id, bid_id, session_id or client_id",
    }


def in_words(length: timedelta) -> str:
    """Return a time that is not negative by its two largest units: `31 d 2 h`; what is less than a second as such."""
    left, parts = length, list[str]()
    for unit, name in _UNITS:
        number, left = divmod(left, unit)
        if number and len(parts) < 2:
            parts.append(f"{number} {name}")
    return " ".join(parts) or ("0 s" if not length else "less than 1 s")
