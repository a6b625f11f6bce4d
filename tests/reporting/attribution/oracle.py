"""Attribution once more, written another way and slowly: lists, fractions and names, nothing of the code under test.

A touch is a dict with `kind`, `interaction`, `at`, `received`, `id` and the ids; so is a conversion.
"""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

STRENGTH = {"click_id": 5, "impression_id": 4, "bid_id": 3, "session_id": 2, "client_id": 1}
COIN = {"JPY": "1", "EUR": "0.01", "USD": "0.01", "GBP": "0.01", "BHD": "0.001", "CLF": "0.0001"}

Dict = dict[str, Any]


def strength(conversion: Dict, event: Dict) -> int:
    if event["partner"] != conversion["partner"]:
        return 0
    shared = [name for name in STRENGTH if conversion.get(name) and conversion.get(name) == event.get(name)]
    return max((STRENGTH[name] for name in shared), default=0)


def touches(conversion: Dict, events: list[Dict]) -> list[Dict]:
    """The touches, each as its earliest event and its strongest match."""
    found: list[Dict] = []
    for event in sorted(events, key=lambda one: (one["at"], one["received"], one["id"])):
        if not strength(conversion, event):
            continue
        if not event["interaction"] and event["report"] == conversion["report"]:
            continue
        for touch in found:
            of_ad = event["interaction"] and event["interaction"] == touch["interaction"]
            of_event = not event["interaction"] and not touch["interaction"] and event["report"] == touch["report"]
            if (of_ad or of_event) and event["kind"] == touch["kind"]:
                touch["strength"] = max(touch["strength"], strength(conversion, event))
                break
        else:
            found.append({**event, "strength": strength(conversion, event)})
    return found


def verdict(conversion: Dict, touch: Dict, windows: dict[str, timedelta]) -> str:
    if touch["at"] > conversion["at"]:
        return "after"
    return "outside" if touch["at"] + windows[touch["kind"]] < conversion["at"] else "candidate"


def order(candidates: list[Dict]) -> list[Dict]:
    """Clicks before views, each from the latest to the earliest, one at a time."""
    left, found = list(candidates), []
    while left:
        best = left[0]
        for other in left[1:]:
            if before(other, best):
                best = other
        left.remove(best)
        found.append(best)
    return found


def before(one: Dict, other: Dict) -> bool:
    if one["kind"] != other["kind"]:
        return bool(one["kind"] == "click")
    if one["at"] != other["at"]:
        return bool(one["at"] > other["at"])
    return bool((one["received"], one["id"]) < (other["received"], other["id"]))


def opener(candidates: list[Dict]) -> Dict:
    clicks = [one for one in candidates if one["kind"] == "click"] or candidates
    start = min(one["at"] for one in clicks)
    return min((one for one in clicks if one["at"] == start), key=lambda one: (one["received"], one["id"]))


def shares(model: str, ordered: list[Dict]) -> list[Fraction]:
    number = len(ordered)
    if model == "linear" or number == 1 or (model == "position" and number == 2):
        return [Fraction(1, number)] * number
    last, first = ordered[0], opener(ordered)
    if model in ("last", "first"):
        winner = last if model == "last" else first
        return [Fraction(one is winner) for one in ordered]
    ends = [last, opener(ordered[1:])]
    is_end = [any(one is end for end in ends) for one in ordered]
    return [Fraction(2, 5) if end else Fraction(1, 5) / (number - 2) for end in is_end]


def parts(value: Decimal, coin: Decimal, of: list[Fraction]) -> list[Decimal]:
    """Hamilton's method: everybody's whole coins first, then one coin each to those who miss the most of one."""
    while value % coin:
        coin /= 10
    sign = -1 if value < 0 else 1
    coins = int(abs(value) / coin)
    exact = [coins * share for share in of]
    whole = [int(one) for one in exact]
    for _ in range(coins - sum(whole)):
        missing = [one - given for one, given in zip(exact, whole, strict=True)]
        whole[missing.index(max(missing))] += 1
    return [sign * number * coin for number in whole]


def judged(conversion: Dict, events: list[Dict], windows: dict[str, timedelta]) -> tuple[list[Dict], dict[str, Any]]:
    """The candidates in their order, and the other touches by what is said of them."""
    candidates, others = [], dict[str, Any]()
    for touch in touches(conversion, events):
        said = verdict(conversion, touch, windows)
        if said == "candidate":
            candidates.append(touch)
        else:
            others.setdefault(said, []).append(touch)
    return order(candidates), others


def credited(conversion: Dict, candidates: list[Dict], model: str) -> list[tuple[Dict, Fraction, Decimal | None]]:
    """What each candidate gets: its share, and its part of the value or None."""
    of = shares(model, candidates)
    values: list[Decimal | None] = [None] * len(of)
    if conversion["value"] is not None:
        values = [*parts(conversion["value"], Decimal(COIN[conversion["currency"]]), of)]
    return [*zip(candidates, of, values, strict=True)]


def reason(conversion: Dict, others: dict[str, Any]) -> str:
    """Why a conversion without a candidate has no credit."""
    for said in ("outside", "after"):
        if said in others:
            return said
    if conversion["attribution_type"] == "organic":
        return "organic"
    return "no touch" if any(conversion.get(name) for name in STRENGTH) else "no ids"


def attributed(conversion: Dict, events: list[Dict], model: str, windows: dict[str, timedelta]) -> Any:
    """The reason, or a list of what each candidate gets: its id, its share, and its part of the value or None."""
    candidates, others = judged(conversion, events, windows)
    if not candidates:
        return reason(conversion, others)
    return [(touch["id"], share, part) for touch, share, part in credited(conversion, candidates, model)]
