"""The report `conversions`."""

from reporting.attribution.conversions import conversions
from reporting.reports.registry import Report

REPORT = Report(
    "conversions",
    "Conversions",
    "How many conversions there are and of which value, each counted once, and reports of one that differ.",
    conversions,
)
