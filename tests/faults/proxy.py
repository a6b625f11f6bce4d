"""A TCP proxy between the server and its database that can swallow bytes, or lose the answer to a commit."""

import socket
import threading
from contextlib import suppress
from typing import Self


class Proxy:
    """What listens on a loopback port and forwards to another, as long as it is told to."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._is_open = threading.Event()
        self._is_open.set()
        # Cut a connection when a statement with these bytes has been passed on, instead of its answer.
        self.lose_answer_to: bytes | None = None
        self.lost = 0
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._is_open.set()
        self._listener.close()
        self.cut()

    def swallow(self) -> None:
        """From now on take every byte and every connection, and pass nothing on: a network without a route back."""
        self._is_open.clear()

    def pass_on(self) -> None:
        """Be an honest proxy again."""
        self._is_open.set()

    def cut(self) -> None:
        """Break all connections."""
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self._sockets.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._sockets.append(client)
        self._is_open.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            client.close()
            return
        self._sockets.append(server)
        doomed = threading.Event()
        threading.Thread(target=self._pump, args=(client, server, doomed, True), daemon=True).start()
        self._pump(server, client, doomed, False)

    def _pump(self, source: socket.socket, target: socket.socket, doomed: threading.Event, is_query: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._is_open.wait()
                if is_query and self.lose_answer_to is not None and self.lose_answer_to in data:
                    self.lose_answer_to = None
                    doomed.set()
                if not is_query and doomed.is_set():
                    self.lost += 1
                    break
                target.sendall(data)
        for sock in (source, target):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
