"""Makes the demo, and says what it made and where to look."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from collect.demo import extras, keys, places, profiles
from collect.demo.arriving import Intake, Made
from collect.demo.keys import Issued
from collect.demo.sending import NEW_BUILD, Sent
from collect.demo.traffic import DAYS, Plan, all_sent
from collect.storage.ledger.writing import FOLDED
from collect.storage.outcomes import Outcome
from runtime import display

Keys = dict[tuple[str, str], Issued]
_TOLD_EVERY = 5_000


def make(plan: Plan, progress: Callable[[str], None]) -> tuple[Made, Keys]:
    """Make partners, keys and traffic. Raises `django.db.Error`; what was stored until then stays."""
    issued = keys.issue_all(plan.until)
    intake = Intake(issued, plan.rng("intake"), (plan.until - FOLDED).replace(minute=0))
    intake.take(_counted(all_sent(plan), progress))
    _knock(plan, issued, intake)
    keys.note_use(intake.made.last_used)
    return intake.made, issued


def _counted(sent: Iterable[Sent], progress: Callable[[str], None]) -> Iterator[Sent]:
    for number, one in enumerate(sent, 1):
        if number % _TOLD_EVERY == 0:
            progress(f"{number:,} events, received until {display.minute(one.at)} UTC")
        yield one


def _knock(plan: Plan, issued: Keys, intake: Intake) -> None:
    key = issued[profiles.BODEGA.name, "old storefront"].key
    moments = extras.knocks(plan.until, plan.rng("knocks"))
    keys.note_knocks(key, moments, places.server("old storefront", profiles.BODEGA.cities[0]))
    intake.turn_away(key, moments, key.state)


def foreseen(plan: Plan) -> str:
    """Return what would be made, in words. Nothing is written."""
    sent = Counter(one.partner for one in all_sent(plan))
    lines = [f"Would send {sent.total():,} events in the {DAYS} days before {display.minute(plan.until)} UTC:"]
    return "\n".join([*lines, *(f"  {name:22}{number:>10,}" for name, number in sent.most_common()), ""])


def told(plan: Plan, made: Made, issued: Keys) -> str:
    """Return what was made, where to look, and the raw keys, in words."""
    return "\n".join([*_numbers(made), "", *_places(plan, made, issued), "", *_secrets(issued), ""])


_COLUMNS = (Outcome.STORED, Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.REJECTED)


def _numbers(made: Made) -> Iterator[str]:
    yield f"{'':22}{'sent':>10}" + "".join(f"{outcome:>11}" for outcome in _COLUMNS)
    for profile in profiles.PROFILES:
        counts = [made.outcomes[profile.name, outcome] for outcome in _COLUMNS]
        yield f"{profile.name:22}{sum(counts):>10,}" + "".join(f"{count:>11,}" for count in counts)
    yield f"{'all':22}{made.total():>10,}" + "".join(f"{made.total(outcome):>11,}" for outcome in _COLUMNS)


def _places(plan: Plan, made: Made, issued: Keys) -> Iterator[str]:
    """Yield what there is to find and the page of the console on which it is."""
    stories = plan.stories
    begun = made.refused[NEW_BUILD][0]
    yield "What there is to find:"
    yield f"  {NEW_BUILD} is refused since {display.minute(begun)} UTC: a text in the place of a number"
    yield "    /admin/rejections/"
    for profile, fault in (
        (profiles.KUMO, f"silent since {display.minute(stories.silent)} UTC"),
        (profiles.HARBOR, "its clock is 5 hours behind, for it shows local time"),
        (profiles.STREAMLINE, "its key expires in 3 days"),
        (profiles.BODEGA, f"orders have no value since {display.minute(stories.lost_value)} UTC"),
        (profiles.BODEGA, "'till export' is always refused; 'old storefront' was revoked and still knocks"),
    ):
        yield f"  {profile.name}: {fault}"
        yield f"    /admin/partners/{issued[profile.name, profile.keys[0].label].key.partner_id}/"


def _secrets(issued: Keys) -> Iterator[str]:
    yield "The keys that work, shown this once:"
    for (partner, label), one in issued.items():
        if one.key.is_active():
            yield f"  {partner:22}{label:18}{one.raw_key}"
