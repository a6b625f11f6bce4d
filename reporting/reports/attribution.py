"""The report `attribution`, and its options."""

from reporting.attribution.options import CHOICES, OF_REPORT
from reporting.attribution.report import attribution
from reporting.reports.registry import Option, Report

_METAVARS = {"model": "MODEL", "click-window": "TIME", "view-window": "TIME", "booked": "DATE", "by": "NAMES"}

REPORT = Report(
    "attribution",
    "Attribution",
    "What conversions are credited to, by which rules, and what is credited to nothing.",
    attribution,
    options=tuple(
        Option(name, _METAVARS[name], default, sentence, CHOICES.get(name, ()))
        for name, (default, sentence) in OF_REPORT.items()
    ),
)
