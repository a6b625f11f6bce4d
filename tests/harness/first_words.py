"""What `first_run` prints, read as a person would: the secrets, and the curl line as a shell takes it."""

import re
import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Words:
    """The parts of the output that somebody copies."""

    raw_key: str
    password: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def read(output: str) -> Words:
    """Take the output apart. Raises AssertionError where a part is missing."""
    key = re.search(r"^API key +(\S+)", output, re.MULTILINE)
    password = re.search(r"password (\S+)$", output, re.MULTILINE)
    line = re.search(r"^curl .*?^  }'$", output, re.MULTILINE | re.DOTALL)
    assert key
    assert password
    assert line
    words = shlex.split(line[0].replace("\\\n", " "))
    values = [(name, words[at + 1]) for at, name in enumerate(words) if name in ("-X", "-H", "-d")]
    headers = dict(value.split(": ", 1) for name, value in values if name == "-H")
    (method,) = (value for name, value in values if name == "-X")
    (body,) = (value for name, value in values if name == "-d")
    (url,) = (word for word in words if word.startswith("http"))
    return Words(key[1], password[1], method, urlsplit(url).path, headers, body.encode())
