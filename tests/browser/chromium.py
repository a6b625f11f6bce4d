"""Chromium as the tests and the images of the docs start it."""

import os
from pathlib import Path

from playwright.sync_api import Browser, Playwright

PLACES = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


def launch(playwright: Playwright) -> Browser:
    """Start the machine's Chromium, else Playwright's own. Raises playwright's Error where there is none."""
    path = next((place for place in PLACES if Path(place).exists()), None)
    # Its sandbox does not work for root, as whom a container runs it; it opens pages of ours alone.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=path, args=sandbox)
