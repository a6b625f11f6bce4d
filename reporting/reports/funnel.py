"""The report `funnel`, and its option."""

from reporting.funnels.plan import DEFAULT_WINDOW
from reporting.funnels.report import funnel
from reporting.reports.registry import Argument, Option, Report

REPORT = Report(
    "funnel",
    "Funnel",
    "How many actors came from one step to the next, in how long, and where the others stayed.",
    funnel,
    (
        Argument(
            "STEPS",
            "the steps in their order, as contents_viewed,items_added,order_created; lead_created|trial_started is a "
            "step that either of the two is",
            is_many=True,
        ),
    ),
    (Option("window", "TIME", DEFAULT_WINDOW, "how long after step 1 the others count, as 30m, 12h, 7d or 4w"),),
)
