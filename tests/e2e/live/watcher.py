"""A watcher of the page Live that reads `.json` as the browser reads HTML, and follows the links in the end."""

from collections.abc import Callable
from typing import Any

# The kind of a row and its id.
Key = tuple[str, str]


class Watcher:
    """Keeps what the page would show; `get` returns the JSON at an address."""

    def __init__(self, get: Callable[[str], Any], query: str = "") -> None:
        self.get = get
        self.late: list[Any] = []
        self.missed: list[Any] = []
        self.new = 0
        # What was last told of each second, which stands in the place of what was told before.
        self.seconds: dict[int, Any] = {}
        first = self._take(get(f"/admin/live.json?{query}"))
        self._older: Any = first["list"]

    def look(self) -> Any:
        """Ask once for what is new."""
        return self._take(self.get(self._next))

    def _take(self, told: Any) -> Any:
        news = told["news"]
        self._next: str = news["next"]
        self.new += news["new"]
        self.late += news["late"]
        self.missed += [news["missed"]] if news["missed"] else []
        self.seconds |= {one["second"]: one for one in news["seconds"]}
        return told

    def shown(self) -> set[Key]:
        """The rows that stand on the page."""
        return {key for one in self.seconds.values() for key in keys(one)}

    def links(self) -> set[str]:
        """The lists that the page links to for what it does not show."""
        folded = {one["list"] for one in [*self.seconds.values(), *self.missed] if one["more"]}
        return folded | {one["list"] for one in self.late}

    def everything(self) -> set[Key]:
        """The rows on the page, those below them, and those behind its links."""
        older = {key for one in self._older["seconds"] for key in keys(one)}
        starts = [*sorted(self.links()), *([self._older["older"]] if self._older["older"] else [])]
        return self.shown() | older | {key for start in starts for key in self.read(start)}

    def read(self, address: str) -> list[Key]:
        """The rows of a list, to its end."""
        found: list[Key] = []
        following: str | None = address
        while following:
            page = self.get(following)
            found += [key for one in page["list"]["seconds"] for key in keys(one)]
            following = page["list"]["older"]
        assert len(found) == len(set(found)), "a row stands twice in a list"
        return found


def keys(second: Any) -> list[Key]:
    """The rows of a second."""
    return [(row["kind"], row["id"]) for row in second["rows"]]
