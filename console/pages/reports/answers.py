"""What becomes of the question of an address: it is answered at once, or by a run."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error
from django.http import HttpRequest

from console.pages.reports.question import read
from reporting.formats.presentation import Presentation
from reporting.models import ReportRun
from reporting.reports import registry
from reporting.reports.answer import Answer
from reporting.reports.question import BadQuestion, Question
from reporting.reports.registry import Report
from reporting.runs import asking, encoding
from reporting.runs.asking import Standing, TooMany
from runtime import failures
from runtime.refusals import STATUS, Code

State = ReportRun.State
# The state of a question that lacks something, besides those of a run.
UNASKED = "unasked"


@dataclass(slots=True)
class Asked:
    """What became of a page's question: how far it is, its answer and the moment that it is of, or what is wrong."""

    state: str = UNASKED
    question: Question | None = None
    standing: Standing | None = None
    answer: Answer | None = None
    as_of: datetime | None = None
    fault: str = ""
    # The status of the page.
    status: int = 200

    @property
    def presentation(self) -> Presentation:
        """How the answer is to be written."""
        return Presentation(zone=self.question.zone if self.question else UTC)


def ask(report: Report, request: HttpRequest) -> Asked:
    """Return what became of the question of the address. Raises `django.db.Error`."""
    asked = Asked()
    try:
        asked.question = read(report, request.GET)
        if asked.question is not None:
            _answer(report, asked.question, asked)
    except BadQuestion as error:
        asked.state, asked.fault, asked.status = State.REFUSED, str(error), STATUS[Code.BAD_REQUEST]
    except TooMany as error:
        asked.state, asked.fault, asked.status = State.FAILED, str(error), STATUS[Code.RATE_LIMITED]
    return asked


def _answer(report: Report, question: Question, asked: Asked) -> None:
    """Answer at once, or by a run. Raises `BadQuestion`, `TooMany` and `django.db.Error`."""
    if report.is_prompt(question) and _answer_at_once(report, question, asked):
        return
    asked.standing = standing = asking.look(report.name, question)
    asked.state, asked.fault = standing.newest.state, standing.newest.error
    if standing.answered is not None:
        asked.answer = encoding.answer_of(standing.answered.answer or "")
        asked.as_of = standing.answered.started_at
    if asked.state == State.REFUSED:
        raise BadQuestion(asked.fault)


def _answer_at_once(report: Report, question: Question, asked: Asked) -> bool:
    """Answer, unless the database takes too long for a page. Raises `BadQuestion` and `django.db.Error`."""
    now = datetime.now(UTC)
    try:
        asked.answer = registry.ask(report.name, question)
    except Error as error:
        if not failures.is_timed_out(error):
            raise
        return False
    asked.state, asked.as_of = State.DONE, now
    return True


def open_run(report: Report, request: HttpRequest) -> ReportRun | None:
    """Return the run that has still to bring the answer to the question of the address, if there is one."""
    try:
        question = read(report, request.GET)
    except BadQuestion:
        return None
    return None if question is None else asking.open_run(report.name, question)


def of_run(report: Report, request: HttpRequest) -> Asked | None:
    """Return the answer of the run that the address names, if it is one to this question and still kept."""
    id = request.GET.get("run", "")
    if not (id.isascii() and id.isdecimal() and len(id) < 19):
        return None
    try:
        question = read(report, request.GET)
    except BadQuestion:
        return None
    run = None if question is None else asking.answered(report.name, question, int(id))
    if run is None:
        return None
    return Asked(State.DONE, question, None, encoding.answer_of(run.answer or ""), run.started_at)
