"""The files around the program, where they have to agree with it."""

import re

from tests.harness.server import ROOT

# Read with `environment.flag("NAME"`, `os.environ["NAME"` or `os.environ.get("NAME"`.
READ = re.compile(r'(?:environment\.\w+\(|os\.environ(?:\.get\(|\[))"([A-Z_]+)"')
# Says where the file of settings is, so it cannot stand in it.
NOT_IN_FILE = {"ENV_FILE", "PROMETHEUS_MULTIPROC_DIR"}


def test_env_example_has_every_setting_and_no_other() -> None:
    places = [*ROOT.glob("thrad_events/**/*.py"), *ROOT.glob("keys/**/*.py"), *ROOT.glob("collect/**/*.py")]
    texts = [path.read_text() for path in [*places, ROOT / "gunicorn.conf.py"]]
    read = {name for text in texts for name in READ.findall(text)}
    listed = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(listed) == read - NOT_IN_FILE
    assert len(listed) == len(set(listed))


def test_makefile_helps_with_every_target_that_people_call() -> None:
    makefile = (ROOT / "Makefile").read_text()
    helped = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    assert {"run", "test", "check", "venv", "clean", "help"} <= helped
