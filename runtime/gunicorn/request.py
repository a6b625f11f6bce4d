"""A request whose head is HTTP/1, and which knows before its answer is written whether the connection goes on."""

import re
from typing import Any

from gunicorn.http import message
from gunicorn.http.errors import InvalidHeader, InvalidHTTPVersion

from runtime.gunicorn.bodies import read_out

VERSIONS = ((1, 0), (1, 1))
# RFC 9110, section 7.2: a name or an address, and a port. Which of them are ours is ALLOWED_HOSTS' to say.
HOST = re.compile(r"(?:\[[\w.:%~-]+\]|[\w.~!$&'()*+,;=%-]+)(?::[0-9]*)?", re.ASCII)
_CLOSE = re.compile(r"(?:^|,)[ \t]*close[ \t]*(?:,|$)", re.IGNORECASE)


class Request(message.Request):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's request with two more checks of its head, and a promise of the connection that holds."""

    # The worker that serves it, which may be told to stop meanwhile.
    worker: Any = None
    _ends: bool | None = None

    def parse(self, unreader: Any) -> bytes:
        """Read the head and return what came behind it.

        Raises InvalidHTTPVersion for HTTP/1.2, which gunicorn would answer in the same version, and InvalidHeader
        where the Host is missing (RFC 9112, section 3.2) or could be no host.
        """
        behind: bytes = super().parse(unreader)
        if self.version not in VERSIONS:
            raise InvalidHTTPVersion(self.version)
        host = None
        for name, value in self.headers:
            if name == "HOST":
                host = value
            elif name == "CONNECTION" and _CLOSE.search(value):
                # Gunicorn knows the word only where it stands alone.
                self.force_close()
        if self.version == (1, 1) if host is None else not HOST.fullmatch(host):
            raise InvalidHeader("HOST", req=self)
        return behind

    def should_close(self) -> bool:
        """Return whether the connection ends after the answer. Gunicorn asks first when it writes the answer's head.

        The first answer stands. Otherwise the head could say `keep-alive`, and the connection be closed all the same.
        """
        if self._ends is None:
            is_stopping = self.worker is not None and not self.worker.alive
            self._ends = super().should_close() or is_stopping or not read_out(self.body, self.unreader.sock)
        return self._ends
