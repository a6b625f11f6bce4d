"""An open loop: requests at a given rate whatever the answers do, so that a slow answer is not kept from being seen.

Sockets and a selector, nothing more: the driver shares two cores with what it measures. A latency counts from the
moment at which its request was due.
"""

import json
import selectors
import socket
import time

BODY = {
    "tag_id": "tag_1",
    "event_name": "items_added",
    "timestamp": 1748275200,
    "page_url": "https://shop.example.com/cart?step=2",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "params": {"content_id": "sku_123", "quantity": 2, "value": 58.0, "currency": "USD"},
}


def run(host: str, port: int, key: str, *, rate: float, seconds: float, connections: int = 64) -> dict[str, float]:
    """p50 and p99 in milliseconds at `rate` requests a second, with the share of requests that were sent late."""
    body = json.dumps(BODY).encode()
    request = (
        f"POST /api/collect HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    sockets = [socket.create_connection((host, port), timeout=10) for _ in range(connections)]
    selector = selectors.DefaultSelector()
    for sock in sockets:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ, data=sock)
    latencies, late = _drive(selector, sockets, request, rate, seconds)
    for sock in sockets:
        sock.close()
    latencies.sort()
    warm = latencies or [0.0]
    return {
        "rate": rate,
        "answered": len(latencies),
        "p50_ms": warm[len(warm) // 2] * 1000,
        "p99_ms": warm[int(len(warm) * 0.99)] * 1000,
        "late_share": late / max(1, len(latencies)),
    }


def _drive(
    selector: selectors.BaseSelector, sockets: list[socket.socket], request: bytes, rate: float, seconds: float
) -> tuple[list[float], int]:
    """The latencies in seconds but for the first tenth, in which all is still cold, and how many were sent late."""
    free = list(sockets)
    due_at: dict[socket.socket, float] = {}
    latencies: list[float] = []
    late = 0
    start = time.perf_counter()
    sent, total = 0, int(rate * seconds)
    while len(latencies) < total and time.perf_counter() - start < seconds * 2 + 10:
        now = time.perf_counter()
        while sent < total and free and start + sent / rate <= now:
            sock, due = free.pop(), start + sent / rate
            late += now - due > 0.005
            sock.sendall(request)
            due_at[sock] = due
            sent += 1
        wait = max(0.0, min(0.05, start + sent / rate - time.perf_counter())) if sent < total and free else 0.05
        for key, _ in selector.select(wait):
            answered: socket.socket = key.data
            answer = answered.recv(65_536)
            if not answer.startswith(b"HTTP/1.1 204"):
                raise RuntimeError(f"the server answered {answer[:200]!r}")
            latencies.append(time.perf_counter() - due_at.pop(answered))
            free.append(answered)
    return latencies[total // 10 :], late
