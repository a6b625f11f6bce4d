"""An answer as a page in one file: it loads nothing, runs nothing, and looks like the console."""

import base64
import hashlib

from django.template.loader import render_to_string

from reporting.formats.html_tables import shown
from reporting.formats.presentation import Presentation, tables
from reporting.reports.answer import Answer
from runtime import display


def render(answer: Answer, how: Presentation) -> bytes:
    """Return the page. Raises `BadQuestion` for a table that the answer does not have."""
    style = render_to_string("reporting/report.css")
    context = {
        "answer": answer,
        "tables": shown(tables(answer, how), how.zone),
        "style": style,
        # The policy allows this style alone.
        "digest": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "command": how.command,
        "made_at": display.second(how.made_at) if how.made_at else "",
    }
    page = display.on_page(render_to_string("reporting/report.html", context))
    return page.encode("utf-8", "backslashreplace")
