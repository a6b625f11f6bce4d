"""What a browser says of the pages that a test opens: errors, requests that failed, and requests to other hosts."""

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebError

# What never leaves the browser.
LOCAL = ("data", "blob", "about")
# What Chromium calls a request that it gave up itself, because the page was left.
GIVEN_UP = "net::ERR_ABORTED"


def told(page: Page, faults: list[str], *texts: str) -> list[str]:
    """Return all faults, and clear them, once each text is in one, which may be a moment after the answer; or fail."""
    for _ in range(100):
        if all(text in "\n".join(faults) for text in texts):
            break
        page.wait_for_timeout(100)
    said = faults.copy()
    faults.clear()
    assert all(text in "\n".join(said) for text in texts), said
    return said


class Watch:
    """Writes down in words what is wrong in a context."""

    def __init__(self, context: BrowserContext, host: str, faults: list[str]) -> None:
        """Watch every page of the context; `host`, with its port, is the only one that may be asked."""
        self._host, self._faults = host, faults
        context.on("console", self._said)
        context.on("weberror", self._raised)
        context.on("request", self._asked)
        context.on("requestfailed", self._failed)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._faults.append(f"console error at {message.location.get('url')}: {message.text}")

    def _raised(self, error: WebError) -> None:
        place = error.page.url if error.page else "an unknown page"
        self._faults.append(f"script error at {place}: {error.error}")

    def _asked(self, request: Request) -> None:
        place = urlsplit(request.url)
        if place.scheme not in LOCAL and place.netloc != self._host:
            self._faults.append(f"request to another host: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != GIVEN_UP:
            self._faults.append(f"failed request ({request.failure}): {request.url}")
