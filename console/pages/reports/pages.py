"""The list of reports, and a page for each with its question and its answer.

A report that reads events is answered by a run (`reporting.runs`): the page says since when, and shows it once it is
there. The address has all of the question, so that a colleague can be sent it.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from collect.intake.contract import STANDARD_EVENTS
from console.pages import choices
from console.pages.frame import DataPage, routes
from console.pages.reports import answers, charts, files
from console.pages.reports import question as question_of
from console.pages.reports.answers import Asked
from console.pages.reports.files import of_name
from console.pages.reports.question import address
from reporting.formats import html_tables
from reporting.formats.presentation import OF_ONE_TABLE, render
from reporting.models import ReportRun
from reporting.reports.answer import Table
from reporting.reports.asked_again import as_command
from reporting.reports.question import BadQuestion
from reporting.reports.registry import REPORTS, Report
from reporting.runs import asking, encoding
from reporting.runs.asking import TooMany
from runtime.display import number

# The most rows of a table on the page; files have all.
SHOWN = 500


class ReportsPage(DataPage):
    """All reports with what each tells."""

    title = "Reports"
    template_name = "admin/reports/list.html"
    permissions: ClassVar = files.PERMISSIONS

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return the reports with what they take."""
        return {"reports": [_told(report) for report in REPORTS.values()]}


def _told(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "title": report.title,
        "sentence": report.sentence,
        "address": reverse("console:report", args=[report.name]),
        "arguments": [
            {"name": question_of.parameter(one), "sentence": one.sentence, "is_many": one.is_many}
            for one in report.arguments
        ],
        "options": [
            {"name": one.name, "default": one.default, "sentence": one.sentence, "choices": list(one.choices)}
            for one in report.options
        ],
    }


class ReportPage(DataPage):
    """One report. Asked by htmx, while the answer is being counted, it is the part with the answer alone."""

    template_name = "admin/reports/report.html"
    permissions: ClassVar = files.PERMISSIONS
    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest, **named: Any) -> HttpResponse:
        """Answer with the page, its data, or its part; 400 for a question that is none. Raises Http404.

        Of a part that has been seen there is none: htmx leaves the page as it is (204).
        """
        self._report = of_name(named["name"])
        if self._is_part(request):
            self.template_name = "admin/reports/answer.html"
            if request.user.has_perms(self.permissions) and self._is_seen(request):
                return HttpResponse(status=204)
        self.title = self._report.title
        response = super().get(request, **named)
        # htmx shows nothing of a part that failed.
        if not self._is_part(request):
            response.status_code = self._asked.status
        return response

    def post(self, request: HttpRequest, **named: Any) -> HttpResponse:
        """Have the question of the address counted anew, and come back to it. Raises PermissionDenied and Http404."""
        if not request.user.has_perms(self.permissions):
            raise PermissionDenied
        report = of_name(named["name"])
        try:
            question = question_of.read(report, request.GET)
            if question is not None:
                asking.again(report.name, question)
        except (BadQuestion, TooMany):  # the page that this leads to says what is wrong
            pass
        return redirect(request.get_full_path())

    def _is_seen(self, request: HttpRequest) -> bool:
        """Tell whether the answer is still waited for, as the page says that asks for news."""
        run = answers.open_run(self._report, request)
        return run is not None and run.state == request.headers.get("X-Seen")

    def _is_part(self, request: HttpRequest) -> bool:
        return "HX-Request" in request.headers and not self.is_json

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return the report, the question, how far it is, and the answer if there is one. Raises Http404."""
        self._asked = asked = answers.ask(self._report, request)
        run = asked.standing and asked.standing.newest
        return {
            "report": _told(self._report),
            "question": asked.question and json.loads(encoding.question_text(asked.question)),
            "state": asked.state,
            "fault": asked.fault,
            "asked_at": run and run.asked_at,
            "as_of": asked.as_of,
            "answer": self._written(asked),
        }

    def _written(self, asked: Asked) -> Any:
        """Return the answer as `manage.py report --format json` has it; a page has it as tables."""
        if asked.answer is None or not self.is_json:
            return None
        return json.loads(render("json", asked.answer, asked.presentation))

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return the form, and the answer as tables and a chart."""
        shown = {
            "is_open": data["state"] in ReportRun.OPEN,
            "may_ask_again": self._asked.standing is not None,
            "here": request.get_full_path(),
            "sooner": _sooner(self._report, self._asked),
            **_answer_shown(self._report, self._asked),
        }
        return shown if self._is_part(request) else shown | _form(self._report, self._asked, request)


def _form(report: Report, asked: Asked, request: HttpRequest) -> dict[str, Any]:
    """Return the fields of the form with what was typed, or what the question means by default."""
    query, question = request.GET, asked.question
    partners = choices.partners(request)
    return {
        "times": question_of.times(query, question),
        "with_times": question and address(report, question, with_times=True),
        "tz": query.get("tz") or "UTC",
        "zones": _zones(),
        "partners": partners,
        "partner": query.get("partner", ""),
        "is_listed": query.get("partner") in {str(pk) for pk, _ in partners},
        "names": STANDARD_EVENTS,
        "arguments": [
            (one, question_of.parameter(one), "\n".join(question_of.given(one, query))) for one in report.arguments
        ],
        "options": [(one, query.get(one.name) or one.default) for one in report.options],
        "presets": question_of.presets(report, question) if question else [],
    }


def _sooner(report: Report, asked: Asked) -> tuple[str, str] | None:
    """Return options with which an answer that is waited for would be there at once, in words, and the address."""
    if not report.sooner or asked.question is None or asked.standing is None or not asked.standing.is_open:
        return None
    question = replace(asked.question, options={**asked.question.options, **report.sooner})
    if not report.is_prompt(question):
        return None
    said = ", ".join(f"{name}: {value}" for name, value in report.sooner.items())
    return said, f"{reverse('console:report', args=[report.name])}?{address(report, question)}"


@cache
def _zones() -> Sequence[str]:
    return sorted(available_timezones())


def _answer_shown(report: Report, asked: Asked) -> dict[str, Any]:
    if asked.answer is None or asked.question is None:
        return {}
    question, page = asked.question, reverse("console:report", args=[report.name])
    cut = [_cut(table) for table in asked.answer.tables]
    run = {"run": str(asked.standing.answered.pk)} if asked.standing and asked.standing.answered else {}
    places = {form: reverse(f"console:report_{form}", args=[report.name]) for form in files.TYPES}
    return {
        "shown": asked.answer,
        "tables": [
            (table, [(form, f"{places[form]}?{address(report, question, {'table': table.table.name, **run})}")
            for form in OF_ONE_TABLE]) for table in html_tables.shown(cut, question.zone)
        ],
        "chart": charts.of(question, asked.answer, lambda other: f"{page}?{address(report, other)}"),
        "files": [
            ("HTML", f"{places['html']}?{address(report, question, run)}"),
            ("JSON", f"{reverse('console:report_data', args=[report.name])}?{address(report, question)}"),
        ],
        "command": as_command(report.name, question),
    }  # fmt: skip


def _cut(table: Table) -> Table:
    """Return the table with as many rows as a page can have, and a note that says so."""
    if len(table.rows) <= SHOWN:
        return table
    note = f"The first {SHOWN} of {number(len(table.rows))} rows are shown; the files have all."
    return replace(table, rows=table.rows[:SHOWN], notes=(note, *table.notes))


# `admin_view` says of each of them that no cache may keep it.
urlpatterns: list[URLPattern] = [
    *routes("reports", ReportsPage, "reports"),
    *routes("reports/<str:name>", ReportPage, "report"),
    *(
        path(f"reports/<str:name>.{form}", admin.site.admin_view(files.file), {"form": form}, name=f"report_{form}")
        for form in files.TYPES
    ),
]
