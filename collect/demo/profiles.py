"""The five partners of the demo: who they are, when they are awake, what they sell, and which keys they have."""

from dataclasses import dataclass
from datetime import timedelta

from collect.demo import places
from collect.enrichment.city import Geo

DAY = timedelta(days=1)
BATCH, COLLECT = "batch", "collect"

# How much happens in each hour of the local day: people shop in the evening and ask for a loan at work.
_SHOPPING = (3, 2, 1, 1, 1, 2, 3, 5, 7, 8, 9, 9, 10, 9, 8, 8, 9, 10, 12, 14, 15, 13, 9, 5)
_OFFICE = (1, 1, 1, 1, 1, 1, 2, 5, 9, 14, 15, 14, 11, 13, 14, 13, 11, 8, 5, 4, 3, 3, 2, 1)
_WATCHING = (6, 4, 2, 1, 1, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 7, 9, 11, 14, 16, 17, 15, 12, 9)


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """One key of a partner. `age` is how long ago it was issued, `left` how long it will still live."""

    label: str
    age: timedelta = 90 * DAY
    is_test: bool = False
    left: timedelta | None = None
    # How long ago it was revoked.
    revoked: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One partner. `share` is its part of all events, `agent` the name by which its sender introduces itself."""

    name: str
    share: float
    hours: tuple[int, ...]
    # How much happens on Saturdays and Sundays, against another day.
    weekend: float
    utc_offset: timedelta
    host: str
    cities: tuple[Geo, ...]
    agent: str
    currency: str
    # The usual amount of an order, in this currency.
    amount: float
    keys: tuple[KeyPlan, ...]
    tag_id: str | None = None
    kind: str = "shop"
    # How many of a shop's visitors put something into the cart.
    intent: float = 0.4
    endpoint: str = COLLECT
    # So many events an hour at least in the last day, however few are asked for: else there was nothing to see.
    floor: int = 4

    @property
    def slug(self) -> str:
        """The first word of the name, as ids begin with it."""
        return self.name.split()[0].lower()


NORTHWIND = Profile(
    name="Northwind Outfitters", share=0.42, hours=_SHOPPING, weekend=1.35, utc_offset=timedelta(hours=1),
    host="www.northwind.example", cities=places.in_countries("DE", "FR", "NL", "AT"), agent="orders-svc/2.13",
    currency="EUR", amount=64.0, tag_id="adv_northwind_eu", floor=24,
    keys=(KeyPlan("order service"), KeyPlan("staging", age=40 * DAY, is_test=True)),
)  # fmt: skip
KUMO = Profile(
    name="Kumo Market", share=0.22, hours=_SHOPPING, weekend=1.2, utc_offset=timedelta(hours=9),
    host="kumo.example", cities=places.in_countries("JP"), agent="kumo-relay/1.8.2 (node 22.20)",
    currency="JPY", amount=5_400, tag_id="kumo-jp",
    keys=(KeyPlan("relay"),),
)  # fmt: skip
HARBOR = Profile(
    name="Harbor Home Loans", share=0.1, hours=_OFFICE, weekend=0.3, utc_offset=timedelta(hours=-5),
    host="harborloans.example", cities=places.CITIES[10:14],
    agent="python-requests/2.32.3", currency="USD", amount=240.0, tag_id="harbor_leads", kind="leads",
    keys=(KeyPlan("lead forms"),),
)  # fmt: skip
STREAMLINE = Profile(
    name="Streamline TV", share=0.14, hours=_WATCHING, weekend=1.25, utc_offset=timedelta(hours=-8),
    host="watch.streamline.example", cities=places.CITIES[14:18], agent="Go-http-client/2.0",
    currency="USD", amount=12.99, tag_id="streamline_web", kind="subscriptions", endpoint=BATCH,
    keys=(KeyPlan("events pipeline", age=362 * DAY, left=3 * DAY),),
)  # fmt: skip
BODEGA = Profile(
    name="Bodega del Sur", share=0.12, hours=_SHOPPING, weekend=1.1, utc_offset=timedelta(hours=-3),
    host="loja.bodegadelsur.example", cities=places.in_countries("BR", "AR", "CL", "UY"), agent="GuzzleHttp/7",
    currency="BRL", amount=180.0, intent=0.75, floor=30,
    keys=(
        KeyPlan("storefront", age=20 * DAY),
        KeyPlan("till export", age=2 * DAY),
        KeyPlan("old storefront", age=400 * DAY, revoked=19 * DAY),
    ),
)  # fmt: skip
PROFILES = (NORTHWIND, KUMO, HARBOR, STREAMLINE, BODEGA)
