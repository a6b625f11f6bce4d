"""A request that knows, before the head of its answer is written, whether the connection goes on behind it."""

from gunicorn.http import message

from runtime.gunicorn.bodies import read_out


class Request(message.Request):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's request, which promises a connection only if the rest of the body could be read out."""

    _ends: bool | None = None

    def should_close(self) -> bool:
        """Return whether the connection ends after the answer. Gunicorn asks first when it writes the answer's head.

        The first answer stands. Otherwise the head could say `keep-alive`, and the connection be closed all the same.
        """
        if self._ends is None:
            self._ends = super().should_close() or not read_out(self.body, self.unreader.sock)
        return self._ends
