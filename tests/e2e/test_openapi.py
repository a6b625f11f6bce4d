"""The OpenAPI document is valid, complete, and what the server does."""

import subprocess
import sys

import pytest
import yaml
from openapi_spec_validator import validate

from tests.harness.collector import Collector

# What HTTP says, before any database is asked.
pytestmark = pytest.mark.once


def test_document_is_valid_and_has_the_whole_api(collector: Collector) -> None:
    document = yaml.safe_load(collector.request("GET", "/api/schema", Authorization=None).body)
    validate(document)
    assert document["openapi"] == "3.1.0"
    names = ("collect", "collect/batch", "collect/validate")
    assert set(document["paths"]) == {f"{prefix}/api/{name}" for prefix in ("", "/v1") for name in names}
    answers = document["paths"]["/api/collect"]["post"]["responses"]
    assert set(answers) == {"204", "400", "401", "403", "405", "408", "413", "415", "429", "503"}
    assert document["components"]["securitySchemes"]["bearerKey"]["scheme"] == "bearer"


def test_docs_page_loads_nothing_from_elsewhere(collector: Collector) -> None:
    page = collector.request("GET", "/api/docs", Authorization=None)
    assert page.status == 200
    text = page.body.decode()
    assert 'src="/static/drf_spectacular_sidecar/' in text
    assert "https://" not in text.replace("https://www.w3.org", "")
    script = text.split('src="')[1].split('"')[0]
    assert collector.request("GET", script, Authorization=None).status == 200


def test_server_answers_as_the_document_says(collector: Collector) -> None:
    """Schemathesis: no 5xx, no answer outside the document, no valid event refused, no invalid one taken."""
    # A key of its own: it is refused more often than rejections are kept of a key in an hour.
    raw_key = collector.manage("issue_key", "--partner", "acme", "--label", "schemathesis").strip()
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{collector.server.url}/api/schema"]
    options = ["-H", f"Authorization: Bearer {raw_key}", "--checks", "all", "--max-examples", "40"]
    run = subprocess.run([*command, *options], capture_output=True, text=True, timeout=180, check=False)
    assert run.returncode == 0, run.stdout[-4_000:]
    assert "6 selected / 6 total" in run.stdout
