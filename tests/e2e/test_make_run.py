"""The steps of `make run`, with real processes: migrate, first_run, gunicorn, and the curl line that was printed."""

import json
import os
import subprocess
import sys

from tests.harness.collector import manage
from tests.harness.first_words import read
from tests.harness.server import ROOT, serve


def test_make_run_ends_in_a_server_that_takes_the_printed_curl(migrated_database: str) -> None:
    words = read(manage(migrated_database, "first_run"))
    with serve(migrated_database) as server:
        answers = [server.request(words.method, words.path, words.body, words.headers) for _ in range(2)]
        log = server.log
    assert [answer.status for answer in answers] == [204, 204]
    assert [answer.headers["X-Event-Outcome"] for answer in answers] == ["stored", "duplicate"]
    assert words.raw_key not in log


def test_first_runs_at_the_same_moment_make_one_key(migrated_database: str) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "manage.py", "first_run"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": migrated_database},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("thrad_live_" in output for output in outputs) == [False, True]


def test_make_run_serves_the_console_and_the_docs(migrated_database: str) -> None:
    with serve(migrated_database) as server:
        assert server.request("GET", "/admin/login/").status == 200
        assert server.request("GET", "/api/docs").status == 200
        assert server.request("GET", "/readyz").status == 200


def test_server_logs_json_alone(migrated_database: str) -> None:
    with serve(migrated_database) as server:
        server.request("HEAD", "/api/docs")
        server.request("GET", "/nowhere")
        lines = [json.loads(line) for line in server.log.splitlines()]
    assert {"level", "logger", "message", "time"} <= set.intersection(*(set(line) for line in lines))
    assert {line["logger"] for line in lines} >= {"gunicorn.error", "runtime.answers"}
