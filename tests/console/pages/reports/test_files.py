"""Files of an answer: its tables as they were on the page that led to them."""

import csv
import html
import io
import re

import pyarrow.parquet
import pytest
from django.test import Client

from keys.models import ApiKey
from reporting.runs import answering
from tests.console.key_pages import text
from tests.reporting.reports.stored import write

pytestmark = pytest.mark.django_db

DAY = "from=2026-11-26&until=2026-11-27"


@pytest.mark.usefixtures("key")
def test_files_have_the_tables_of_the_page(console: Client) -> None:
    page = text(console.get(f"/admin/reports/daily/?{DAY}"))
    found = [html.unescape(link) for link in re.findall(r'href="(/admin/reports/daily\.(?:csv|parquet)\?[^"]+)"', page)]
    assert len(found) == 8
    answer = console.get(found[0])
    assert answer["Content-Disposition"] == 'attachment; filename="daily-daily-2026-11-26-2026-11-27.csv"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert list(csv.reader(io.StringIO(answer.content.decode()))) == [
        ["day", "events", "clients"],
        ["2026-11-26", "2", "2"],
    ]
    table = pyarrow.parquet.read_table(io.BytesIO(console.get(found[1]).content))
    assert table.to_pylist() == [{"day": "2026-11-26", "events": 2, "clients": 2}]
    whole = console.get(f"/admin/reports/daily.html?{DAY}")
    assert "attachment" in whole["Content-Disposition"]
    assert "manage.py report daily" in whole.content.decode()
    assert console.get(f"/admin/reports/daily.csv?{DAY}&table=none").status_code == 400
    assert console.get("/admin/reports/daily.csv?from=soon").status_code == 400
    assert console.get(f"/admin/reports/none.csv?{DAY}").status_code == 404


@pytest.mark.usefixtures("key")
def test_file_is_of_the_answer_that_was_seen_and_leads_to_the_page_without_one(console: Client) -> None:
    address = f"/admin/reports/late/?{DAY}"
    answer = console.get(f"/admin/reports/late.csv?{DAY}")
    assert (answer.status_code, answer["Location"]) == (302, address)
    answering.work()
    page = text(console.get(address))
    (link,) = re.findall(r'href="([^"]+\.csv\?[^"]+table=late[^"]+)"', page)
    seen = console.get(html.unescape(link)).content
    assert b"within a minute,2" in seen
    write(ApiKey.objects.get())
    console.post(address)
    assert console.get(html.unescape(link)).content == seen
    answering.work()
    assert b"within a minute,3" in console.get(f"/admin/reports/late.csv?{DAY}").content
    # An id of the answer to another question is none.
    other = html.unescape(link).replace("until=2026-11-27", "until=2026-11-28")
    assert console.get(other).status_code == 302
