"""What visitors do: sessions of a shop, of a lender's forms and of a subscription, as events with their moments."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from collect.demo import agents, places
from collect.demo.profiles import Profile
from collect.enrichment.city import Geo

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_REFERRERS = (
    "https://www.google.com/",
    "https://www.instagram.com/",
    "https://duckduckgo.com/",
    "https://news.example/",
)
_PAGES = ("rain-jacket", "trail-shoes", "wool-socks", "tent-2p", "headlamp", "thermos", "backpack-30l", "gloves")
_RETURNING, _BOT, _CLICKED = 0.35, 0.03, 0.3


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody, or a bot, with an address, a browser and a client id."""

    client_id: str
    agent: str
    city: Geo
    address: str
    is_bot: bool


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a visitor did, `seconds` after the session began: the event's fields without a timestamp."""

    seconds: float
    visitor: Visitor
    fields: dict[str, Any]


class Audience:
    """The visitors of one partner, some of whom come again. `run` keeps the ids of two runs apart."""

    def __init__(self, profile: Profile, run: str, rng: Random) -> None:
        self.profile, self._run, self._rng = profile, run, rng
        self._known: deque[Visitor] = deque(maxlen=500)
        self._numbers = 0

    def session(self) -> list[Happening]:
        """Return what the next visitor does, in order."""
        visitor = self._visitor()
        journey = _view_pages if visitor.is_bot else _JOURNEYS[self.profile.kind]
        steps = journey(self.profile, self._rng)
        usual = self._usual(visitor)
        return [Happening(step.seconds, visitor, self._event(usual, step)) for step in steps]

    def id(self, kind: str) -> str:
        """Return a new id that begins with its kind."""
        self._numbers += 1
        return f"{kind}_{self._run}{self._numbers:05d}{''.join(self._rng.choices(_LETTERS, k=5))}"

    def _visitor(self) -> Visitor:
        rng = self._rng
        if self._known and rng.random() < _RETURNING:
            return rng.choice(self._known)
        is_bot = rng.random() < _BOT
        (agent,) = rng.choices(*_drawn(agents.BOTS if is_bot else agents.BROWSERS))
        city = rng.choice(self.profile.cities)
        visitor = Visitor(self.id("cl"), agent, city, places.address(city, rng), is_bot)
        self._known.append(visitor)
        return visitor

    def _usual(self, visitor: Visitor) -> dict[str, Any]:
        """Return the fields that all events of a session share."""
        rng, profile = self._rng, self.profile
        found: dict[str, Any] = {"session_id": self.id("s"), "client_id": visitor.client_id}
        found["user_agent"] = visitor.agent
        if profile.tag_id is not None:
            found["tag_id"] = profile.tag_id
        if rng.random() < 0.7:
            found["referrer"] = rng.choice(_REFERRERS)
        if visitor.is_bot or rng.random() >= _CLICKED:
            return found | {"attribution_type": "organic"}
        if rng.random() < 0.25:
            return found | {"attribution_type": "view", "impression_id": self.id("imp"), "bid_id": self.id("bid")}
        return found | {"attribution_type": "click", "click_id": self.id("clk"), "bid_id": self.id("bid")}

    def _event(self, usual: dict[str, Any], step: "Step") -> dict[str, Any]:
        found = {"event_name": step.name, "event_id": self.id("evt"), **usual}
        found["page_url"] = f"https://{self.profile.host}/{step.page}"
        if self.profile.currency == "EUR":
            found["consent"] = {"ad_storage": "granted", "analytics": True}
        params = dict(step.params)
        if step.name == "order_created":
            params["order_id"] = f"{self.profile.slug[:2].upper()}-{self._run}{self._numbers:05d}"
        return found | {"params": params}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a journey: what is called how, on which page, so many seconds after the journey began."""

    seconds: float
    name: str
    page: str
    params: dict[str, Any]


def _drawn(shares: dict[str, int]) -> tuple[list[str], list[int]]:
    return list(shares), list(shares.values())


def _amount(profile: Profile, rng: Random) -> float:
    """Return the amount of one thing, as its currency writes it."""
    amount = profile.amount * rng.lognormvariate(0, 0.5)
    return round(amount, -1) if profile.currency == "JPY" else round(amount, 2)


def _view_pages(profile: Profile, rng: Random) -> list[Step]:
    seconds, steps = 0.0, []
    for _ in range(rng.choices((1, 2, 3, 5), (40, 30, 20, 10))[0]):
        page = rng.choice(_PAGES)
        steps.append(Step(seconds, "contents_viewed", f"p/{page}", {"content_id": f"sku_{_PAGES.index(page) + 100}"}))
        seconds += rng.uniform(5, 90)
    return steps


def _shop(profile: Profile, rng: Random) -> list[Step]:
    steps = _view_pages(profile, rng)
    if rng.random() >= profile.intent:
        return steps
    seconds, total = steps[-1].seconds, 0.0
    for _ in range(rng.choices((1, 2, 3), (65, 25, 10))[0]):
        seconds += rng.uniform(4, 60)
        price, quantity = _amount(profile, rng), rng.choices((1, 2, 3), (80, 15, 5))[0]
        total += price * quantity
        params = {"content_id": f"sku_{rng.randrange(100, 108)}", "quantity": quantity}
        steps.append(Step(seconds, "items_added", "cart", params | _money(profile, price * quantity)))
    if rng.random() >= 0.6:
        return steps
    seconds += rng.uniform(10, 120)
    steps.append(Step(seconds, "checkout_started", "checkout", _money(profile, total)))
    if rng.random() < 0.7:
        seconds += rng.uniform(30, 240)
        steps.append(Step(seconds, "order_created", "checkout/thanks", _money(profile, total)))
    return steps


def _money(profile: Profile, value: float) -> dict[str, Any]:
    return {"value": int(value) if profile.currency == "JPY" else round(value, 2), "currency": profile.currency}


def _leads(profile: Profile, rng: Random) -> list[Step]:
    steps = _view_pages(profile, rng)
    if rng.random() < 0.45:
        seconds = steps[-1].seconds + rng.uniform(40, 400)
        form = rng.choice(("refinance", "first-home", "quote"))
        steps.append(Step(seconds, "lead_created", f"apply/{form}", {"form": form} | _money(profile, profile.amount)))
        if rng.random() < 0.4:
            seconds += rng.uniform(30, 300)
            steps.append(Step(seconds, "appointment_scheduled", "apply/appointment", {"form": form}))
    return steps


def _subscriptions(profile: Profile, rng: Random) -> list[Step]:
    steps = _view_pages(profile, rng)
    if rng.random() >= 0.4:
        return steps
    seconds = steps[-1].seconds + rng.uniform(20, 120)
    steps.append(Step(seconds, "registration_completed", "join", {"method": rng.choice(("email", "apple", "google"))}))
    plan = rng.choice(("basic", "family", "sports"))
    if rng.random() < 0.6:
        seconds += rng.uniform(10, 90)
        steps.append(Step(seconds, "trial_started", f"join/{plan}", {"plan": plan, "trial_days": 14}))
    if rng.random() < 0.35:
        seconds += rng.uniform(10, 90)
        money = _money(profile, profile.amount)
        steps.append(Step(seconds, "subscription_created", f"join/{plan}/done", {"plan": plan} | money))
    return steps


_JOURNEYS: dict[str, Callable[[Profile, Random], list[Step]]] = {
    "shop": _shop,
    "leads": _leads,
    "subscriptions": _subscriptions,
}
