"""The system calls of running processes, in the order in which they returned: what power loss would find on disk."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CALLS = "fsync,fdatasync,write,pwrite64,sendto,sendmsg,recvfrom,recvmsg,read"
RESUMED = re.compile(r"<\.\.\. \w+ resumed>")


def _is_possible() -> bool:
    """Whether there is a strace that may look at processes of ours; containers can forbid it."""
    if shutil.which("strace") is None:
        return False
    with subprocess.Popen(["sleep", "5"]) as sleep:
        command = ["timeout", "1", "strace", "-p", str(sleep.pid)]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        sleep.kill()
    return "attached" in told


needs_strace = pytest.mark.skipif(not _is_possible(), reason="strace is missing or may not attach to processes")


@contextmanager
def traced(pids: list[int], directory: Path) -> Iterator[list[str]]:
    """The calls of these processes, and of those that they start, while the block runs; filled when it ends."""
    path = directory / "strace"
    lines: list[str] = []
    command = ["strace", "-f", "-y", "-s", "8192", "-e", f"trace={CALLS}", "-o", str(path)]
    tracer = subprocess.Popen([*command, *(part for pid in pids for part in ("-p", str(pid)))], stderr=subprocess.PIPE)
    told = tracer.stderr
    assert told is not None
    try:
        time.sleep(1)
        assert tracer.poll() is None, told.read().decode()
        yield lines
        time.sleep(0.5)
    finally:
        tracer.terminate()
        tracer.wait(10)
        told.close()
        lines += _returned(path.read_text(errors="replace").splitlines())


def _returned(raw: list[str]) -> list[str]:
    """Calls as one line each, at the place where they returned."""
    unfinished: dict[str, str] = {}
    whole = []
    for line in raw:
        pid, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            unfinished[pid] = call.removesuffix("<unfinished ...>")
        elif RESUMED.search(call):
            whole.append(unfinished.pop(pid, "") + RESUMED.sub("", call.strip()))
        else:
            whole.append(call.strip())
    return whole


def assert_synced_before_204(lines: list[str], event_id: str, log: str) -> None:
    """Fail unless the event went in, then a sync of `log` (part of a file's name) returned, then the 204 was sent."""
    arrived = next(n for n, line in enumerate(lines) if event_id in line)
    answered = next(n for n, line in enumerate(lines) if n > arrived and "HTTP/1.1 204" in line)
    written = max(n for n, line in enumerate(lines[:answered]) if event_id in line)
    syncs = [
        n
        for n, line in enumerate(lines[:answered])
        if n > written and re.match(r"f(data)?sync\(", line) and log in line and line.endswith("= 0")
    ]
    assert syncs, "\n".join(line[:160] for line in lines[arrived : answered + 1])
