"""The events of the month, invented in an order that never changes. Nothing here knows of the program that is tested.

Times are milliseconds since the month began, money is ten-thousandths, and what an event's value is worth stands
beside the text that is sent.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

BEGIN = datetime(2025, 10, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
DAYS = 31

PARTNERS = ("acme", "globex", "initech")
LIVE, SPOOLED, IMPORTED, REPLAYED = "live", "spooled", "imported", "replayed"
CHANNELS = {IMPORTED: "history"}
TEST_TAG, SECOND_TAG = "playground", "backend"
TAGS = ("shop", "blog")
COUNTRIES = ("DE", "NP", "US", None)
AGENTS = {
    "Firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Edge": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 "
    "Safari/537.36 Edg/141.0.0.0",
    None: None,
}
BROWSERS = tuple(AGENTS)
# How often of 32 each name is sent.
NAMES = (
    ["contents_viewed"] * 12 + ["items_added"] * 6 + ["checkout_started"] * 3 + ["order_created"] * 5
    + ["lead_created"] * 2 + ["trial_started"] + ["newsletter, opened|read"] * 2 + ["custom"]
)  # fmt: skip
CONVERSIONS = {"order_created", "lead_created", "trial_started"}
VALUED = CONVERSIONS | {"items_added"}
# People of the first partner who are erased in the end.
ERASED = (1, 2, 3)


class Money(NamedTuple):
    """What is sent, and what it is worth."""

    params: str = "{}"
    value_e4: int | None = None
    currency: str | None = None
    issue: str | None = None


class Planned(NamedTuple):
    """An event that is sent, and stored once."""

    number: int
    road: str
    partner: int
    is_test: bool
    tag: str
    name: str
    event_id: str | None
    at: int
    arrives: int
    country: str | None
    browser: str | None
    money: Money
    client: int | None
    session: int | None
    click: int | None
    impression: int | None
    attribution: str | None
    # Whether an earlier event is the same one, reported under another tag, and whether its value was another.
    is_repeat: bool = False
    differs: bool = False

    @property
    def is_erased(self) -> bool:
        return self.partner == 0 and self.client in ERASED

    @property
    def is_sent_twice(self) -> bool:
        """Whether the very same body comes once more, of which nothing is stored."""
        return self.event_id is not None and self.number % 29 == 0

    @property
    def channel(self) -> str:
        return CHANNELS.get(self.road, "server")


def plan(size: int, seed: int = 16) -> Iterator[Planned]:
    """Yield at least `size` events."""
    rng = Random(seed)
    number = 0
    while number < size:
        event = _event(number, size, rng)
        yield event
        number += 1
        if event.name in CONVERSIONS and event.event_id and not event.is_test and event.number % 7 < 2:
            for _ in range(1 + event.number % 3 // 2):
                yield _repeat(event, number)
                number += 1


def _event(number: int, size: int, rng: Random) -> Planned:
    bits = _Bits(rng.getrandbits(160))
    kind = bits.take(1_000)
    road = IMPORTED if kind < 40 else REPLAYED if kind < 45 else SPOOLED if kind < 65 else LIVE
    is_test = road == LIVE and bits.take(50) == 0
    name = NAMES[bits.take(32)]
    at = bits.take(DAYS * DAY)
    who = bits.take(20)
    return Planned(
        number=number, road=road, partner=(0, 0, 1, 2)[bits.take(4)], is_test=is_test,
        tag=TEST_TAG if is_test else TAGS[bits.take(2)], name=name,
        event_id=f"e{number}" if bits.take(5) else None,
        at=at, arrives=at + _delay(bits),
        country=COUNTRIES[bits.take(4)] if road in (LIVE, SPOOLED) else None,
        browser=BROWSERS[bits.take(3)],
        money=_money(name, bits),
        client=bits.take(size // 12 + 10) if who < 17 else None, session=bits.take(size // 6) if who < 19 else None,
        click=bits.take(size // 20) if bits.take(12) == 0 else None,
        impression=bits.take(size // 15) if bits.take(9) == 0 else None,
        attribution=("click", "view", "organic", "later", None, None, None, None)[bits.take(8)],
    )  # fmt: skip


def _delay(bits: "_Bits") -> int:
    """Some seconds; of a few events hours, days, or up to twenty of them.

    Never none: a timestamp that is the moment of receipt is taken for one that was not sent.
    """
    kind, seconds = bits.take(100), bits.take(1_000)
    longest = 20 * DAY if kind == 0 else 3 * DAY if kind < 3 else 2 * HOUR if kind < 6 else MINUTE
    return 1 + longest * seconds // 1_000


def _repeat(event: Planned, number: int) -> Planned:
    """Return the same event as another system reports it, a little later and at times with another value."""
    worth = event.money.value_e4
    differs = worth is not None and number % 4 == 0
    money = _worth(worth + 500, event.money.currency or "") if worth is not None and differs else event.money
    return event._replace(
        number=number, road=LIVE, tag=f"{SECOND_TAG} {number - event.number}", arrives=event.arrives + MINUTE,
        at=event.at + 700, money=money, country=None, is_repeat=True, differs=differs,
    )  # fmt: skip


def _money(name: str, bits: "_Bits") -> Money:
    kind, cents = bits.take(16), bits.take(100_000)
    if name not in VALUED:
        return Money()
    if kind < 8:
        return _worth(cents * 100, ("EUR", "USD", "GBP")[kind % 3])
    return (
        Money(f'{{"value": {cents // 100}.{cents % 100:02}, "currency": "eur"}}', cents * 100, "EUR"),
        Money(f'{{"value": {cents}, "currency": "Jpy"}}', cents * 10_000, "JPY"),
        Money(f'{{"currency": "BHD", "value": -0.{cents % 1_000:03}}}', -(cents % 1_000) * 10, "BHD"),
        Money(f'{{"value": {cents}, "currency": "ABC"}}', issue="unknown_currency"),
        Money(f'{{"value": {cents}.5}}', issue="no_currency"),
        Money(f'{{"value": "{cents}.50", "currency": "EUR"}}', issue="value_not_a_number"),
        Money(f'{{"value": {100_000_000_000 + cents}, "currency": "USD"}}', issue="value_out_of_range"),
        (Money(), Money('{"value": null, "currency": "EUR"}'), Money('{"currency": "EUR"}'))[cents % 3],
    )[kind - 8]


def _worth(value_e4: int, currency: str) -> Money:
    sign, digits = "-" * (value_e4 < 0), abs(value_e4)
    text = f"{sign}{digits // 10_000}.{digits % 10_000:04}"
    return Money(f'{{"value": {text}, "currency": "{currency}"}}', value_e4, currency)


class _Bits:
    """A large random number, of which parts are taken: far cheaper than a random number for each."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, below: int) -> int:
        """Return a number from 0 to below `below`."""
        self._value, found = divmod(self._value, below)
        return found
