"""A question as the command that asks it again, whenever that is."""

import shlex

from reporting.reports.question import Question


def as_command(name: str, question: Question, *, table: str | None = None, form: str = "table") -> str:
    """Return the command that asks this question of the report."""
    since, until = (
        moment.astimezone(question.zone).isoformat(timespec="auto" if moment.microsecond else "minutes")
        for moment in (question.over.start, question.over.end)
    )
    parts: list[str] = ["manage.py", "report", name, *question.arguments]
    parts += ["--since", since, "--until", until, "--tz", str(question.zone)]
    parts += ["--partner", question.partner.name] if question.partner else []
    parts += ["--table", table] if table else []
    parts += [part for option, value in question.options.items() for part in (f"--{option}", value)]
    return shlex.join([*parts, "--format", form])
