"""A store of kept keys for the tests of the directory."""

import json


class Store:
    """A store in memory, which can be broken."""

    def __init__(self) -> None:
        self.document: bytes | None = None
        self.saves = 0
        self.error: Exception | None = None

    def load_keys(self) -> bytes | None:
        if self.error:
            raise self.error
        return self.document

    def save_keys(self, document: bytes) -> None:
        if self.error:
            raise self.error
        self.document, self.saves = document, self.saves + 1

    @property
    def prefixes(self) -> list[str]:
        """The keys in it, in their order."""
        return [key["prefix"] for key in json.loads(self.document or b'{"keys": []}')["keys"]]
