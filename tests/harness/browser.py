"""Just enough of a browser to log in to the console and to look at all of its pages."""

import html
import re
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

# What is no page: a form that ends the session, a script, and files, which a browser saves.
NO_PAGES = ("/logout/", "/jsi18n/", ".csv", ".html", ".parquet")


class Browser:
    """A client that keeps cookies and follows nothing."""

    def __init__(self, origin: str, connect: Callable[[], HTTPConnection] | None = None) -> None:
        """`origin` is the server's address, without a path; `connect` leads there where a look-up would not."""
        self._origin = origin
        self._connect = connect or (lambda: HTTPConnection(urlsplit(origin).netloc, timeout=10))
        self._cookies = SimpleCookie()

    def open(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """The status and the page; with a form, of its POST."""
        connection = self._connect()
        headers = {"Cookie": "; ".join(f"{name}={cookie.value}" for name, cookie in self._cookies.items())}
        if form is None:
            connection.request("GET", path, headers=headers)
        else:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._origin}
            connection.request("POST", path, urlencode(form), headers)
        response = connection.getresponse()
        for cookie in response.headers.get_all("Set-Cookie", []):
            self._cookies.load(cookie)
        page = response.read().decode()
        connection.close()
        return response.status, page

    def log_in(self, username: str, password: str) -> None:
        """Use the console's form; it fails where the form does not take them."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.open("/admin/login/")[1])
        assert token
        form = {"username": username, "password": password, "csrfmiddlewaretoken": token[1]}
        assert self.open("/admin/login/", form)[0] == 302

    def pages(self, start: str) -> Iterator[tuple[str, str]]:
        """Every page that can be reached by links from `start`, queries left out, with its path."""
        seen, waiting = {start}, [start]
        while waiting:
            path = waiting.pop()
            status, page = self.open(path)
            assert status == 200, path
            yield path, page
            links = {html.unescape(link) for link in re.findall(r'href="(/admin/[^"#?]*)["#?]', page)}
            links = {link for link in links - seen if not any(part in link for part in NO_PAGES)}
            seen |= links
            waiting += sorted(links)
