"""The metrics and dimensions that can be asked for: a name, a sentence, and where the database has each."""

from collections.abc import Mapping
from dataclasses import dataclass

from reporting.reports.answer import Column, Kind


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is counted."""

    name: str
    kind: Kind
    sentence: str

    @property
    def column(self) -> Column:
        """The metric as a column of a table."""
        return Column(self.name, self.kind, self.sentence)


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something that events are counted by: the field that has it in `Cell`, and the one in `ReportedEvent`.

    A dimension of time is a step, as `day`: the time that is asked for, cut in the time zone that is.
    """

    name: str
    sentence: str
    of_cells: str = ""
    of_events: str = ""
    step: str = ""
    # The dimension of the summaries that have it; empty where all of them do.
    of_summaries: str = ""

    @property
    def column(self) -> Column:
        """The dimension as a column of a table."""
        return Column(self.name, Kind.MOMENT if self.step == "hour" else Kind.TEXT, self.sentence)


EVENTS = Metric("events", Kind.COUNT, "Events that happened (timestamp) in the range; test events are none of them.")
CLIENTS = Metric(
    "clients",
    Kind.COUNT,
    "Distinct client_id of a partner among them. A client of several rows is in each: the rows do not add up.",
)
VALUED = Metric("valued", Kind.COUNT, "Events among them that have a value: params.value with a currency.")
VALUE = Metric("value", Kind.AMOUNT, "The sum of params.value of those, in the currency of the row.")
AVERAGE = Metric("average", Kind.AMOUNT, "value divided by valued, to four decimals.")
METRICS: Mapping[str, Metric] = {one.name: one for one in (EVENTS, CLIENTS, VALUED, VALUE, AVERAGE)}
# Those that only make sense of one currency: whoever asks for one of them gets a row for each.
OF_MONEY = (VALUE, AVERAGE)


def _summed(name: str, sentence: str, of_cells: str, of_events: str) -> Dimension:
    """Return a dimension that has summaries of its own."""
    return Dimension(name, sentence, of_cells, of_events, of_summaries=of_cells)


_TIME = "{} of the time zone in which the events happened."
_DIMENSIONS = (
    Dimension("hour", _TIME.format("Hour"), step="hour"),
    Dimension("day", _TIME.format("Day"), step="day"),
    Dimension("week", _TIME.format("Monday of the week"), step="week"),
    Dimension("month", _TIME.format("First day of the month"), step="month"),
    Dimension("partner", "The partner who sent the events.", "partner__name", "partner"),
    _summed("tag", "The tag_id that was sent, or site:<host> where the server derived one.", "tag_id", "tag_id"),
    _summed("event_name", "The name of the events.", "event_name", "event_name"),
    Dimension(
        "category",
        "The taxonomy's category of the name; custom for every other name.",
        "category",
        "category",
        of_summaries="event_name",
    ),
    _summed("channel", "server, or what an import named.", "channel", "channel"),
    _summed("country", "ISO 3166-1 code of the country; unknown without a place.", "country", "geo_country"),
    _summed("browser", "Browser, from the user agent; unknown without one.", "browser", "ua_browser"),
    _summed(
        "bot", "Why the user agent is taken for a bot's; unknown for every other one.", "bot_reason", "ua_bot_reason"
    ),
    Dimension("currency", "ISO 4217 code of the value's currency; unknown without a value.", "currency", "currency"),
    Dimension(
        "value_issue",
        "Why params.value of the events is in no sum; unknown where it is in one, or there is none.",
        "value_issue",
        "value_issue",
    ),
)
DIMENSIONS: Mapping[str, Dimension] = {one.name: one for one in _DIMENSIONS}
TIMES = tuple(one.name for one in _DIMENSIONS if one.step)
