"""What is at the server that is looked at: somebody who may do all, and one of everything that pages show."""

import json
import os
import subprocess
import sys

from playwright.sync_api import Browser, StorageState

from tests.harness.collector import Collector
from tests.harness.server import ROOT

USERNAME, PASSWORD = "olga", "a long password"


def make_superuser(database_url: str) -> None:
    """Let `USERNAME` log in with `PASSWORD`. Raises CalledProcessError."""
    command = [sys.executable, "manage.py", "createsuperuser", "--noinput"]
    subprocess.run(
        [*command, f"--username={USERNAME}", "--email=olga@example.com"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url, "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
        check=True,
        capture_output=True,
    )


def log_in(browser: Browser, url: str) -> StorageState:
    """Use the console's form, and return the cookies."""
    page = browser.new_page()
    page.goto(f"{url}/admin/login/")
    page.fill("[name=username]", USERNAME)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{url}/admin/")
    session = page.context.storage_state()
    page.context.close()
    return session


def send_one_of_each(collector: Collector) -> None:
    """Have an event stored, one in conflict with it, and one rejected."""
    event = {"event_name": "order_created", "event_id": "order-123", "tag_id": "shop", "params": {"value": 58.5}}
    sent = [event, {**event, "params": {"value": 59}}, {"event_name": "order_created", "params": "58.5"}]
    answers = [collector.post(body) for body in sent]
    assert [answer.status for answer in answers] == [204, 204, 400], json.dumps([str(one.body) for one in answers])
