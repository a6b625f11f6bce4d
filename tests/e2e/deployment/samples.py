"""What a page shows in a fence, taken from the page itself, with the places of this machine in it."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.harness.server import ROOT

OPERATIONS = ROOT / "docs" / "operations.md"


def fences(page: Path, language: str) -> list[str]:
    """All samples of a page that are marked with this language, in order."""
    return re.findall(rf"^[ ]*```{language}\n(.*?)^[ ]*```", page.read_text(), re.MULTILINE | re.DOTALL)


def sample(language: str, having: str = "") -> str:
    """The one sample of docs/operations.md in this language that has `having` in it."""
    (found,) = (text for text in fences(OPERATIONS, language) if having in text)
    return found


def placed(text: str, places: Mapping[str, str]) -> str:
    """The sample with other places; AssertionError where one to be replaced does not stand in it, once or more."""
    for shown, meant in places.items():
        assert shown in text, shown
        text = text.replace(shown, meant)
    return text


def settings(text: str) -> dict[str, str]:
    """The lines of a `.env`."""
    return dict(line.split("=", 1) for line in text.splitlines())
