"""The answer of a report as a file: that of the run whose page led here, or one that is counted now."""

from collections.abc import Sequence
from dataclasses import replace

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET

from console import error_pages
from console.pages.reports import answers
from console.pages.reports.answers import State
from reporting.formats.presentation import render
from reporting.reports.asked_again import as_command
from reporting.reports.question import BadQuestion, Question
from reporting.reports.registry import REPORTS, Report
from runtime.refusals import Code, Refusal

# The rights of which an operator needs all.
PERMISSIONS = ("collect.view_event",)
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def of_name(name: str) -> Report:
    """Return the report. Raises Http404."""
    if name not in REPORTS:
        raise Http404
    return REPORTS[name]


@require_GET
def file(request: HttpRequest, name: str, form: str) -> HttpResponse:
    """Answer with the answer as a file, or lead to the page while it has none. Raises PermissionDenied and Http404.

    `run` in the address is that of the page that led here: the file has the answer that was seen there.
    """
    if not request.user.has_perms(PERMISSIONS):
        raise PermissionDenied
    report = of_name(name)
    asked = answers.of_run(report, request) or answers.ask(report, request)
    # What failed for a reason of ours is said by the page, with its own status.
    if asked.state == State.REFUSED:
        return error_pages.bad_request(request, Refusal(Code.BAD_REQUEST, asked.fault))
    if asked.state != State.DONE or asked.answer is None or asked.question is None:
        return redirect(f"{reverse('console:report', args=[name])}?{request.GET.urlencode()}")
    how = replace(
        asked.presentation,
        table=request.GET.get("table") or None,
        made_at=asked.as_of,
        command=as_command(name, asked.question),
    )
    try:
        content = render(form, asked.answer, how)
    except BadQuestion as error:
        return error_pages.bad_request(request, Refusal(Code.BAD_REQUEST, str(error)))
    return _attached(content, form, "-".join((name, *((how.table,) if how.table else ()), *_dates(asked.question))))


def _dates(question: Question) -> Sequence[str]:
    over = question.over
    return [f"{moment.astimezone(question.zone):%Y-%m-%d}" for moment in (over.start, over.end)]


def _attached(content: bytes, form: str, name: str) -> HttpResponse:
    return HttpResponse(
        content,
        content_type=TYPES[form],
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{form}"',
            "X-Content-Type-Options": "nosniff",
        },
    )
