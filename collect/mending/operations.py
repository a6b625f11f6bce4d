"""The closed list of operations that mend a body. Commands, pages and the database spell them as the same JSON.

An operation that finds nothing to do, or a body that is no JSON object, leaves everything as it is: then the event is
judged as it stands.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec
from msgspec import Raw

from collect.intake import contract, json_rules
from collect.intake.contract import RULES
from collect.mending import paths
from collect.mending.conversions import JSON, NUMBER, TEXT, as_type, scaled
from collect.mending.paths import EACH, Path
from runtime.refusals import Refusal

MAX_OPERATIONS = 20
# Bytes of the operations of one mend as JSON.
MAX_BYTES = 64 * 1024

_PARAMS = "params"


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    """One change of a body, at a path."""

    path: str
    # What the operation does, in words, with its own fields for the names in braces.
    words: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a path that is none, or that the operation cannot have."""
        self.check(paths.parse(self.path))

    def check(self, path: Path) -> None:
        """Raise ValueError where the operation makes no sense at this path."""

    def apply(self, body: Raw) -> Raw:
        """Return the body with the operation done to it; the very same body if there is nothing to do."""
        return paths.changed(body, paths.parse(self.path), self._of_present)

    def _of_present(self, value: Raw | None) -> Raw | None:
        if value is None:
            return None
        new = self.turned(bytes(value))
        return value if new == bytes(value) else Raw(new)

    def turned(self, value: bytes) -> bytes:
        """Return what becomes of a JSON value that is there; the same value if it cannot be turned."""
        return value

    def __str__(self) -> str:
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return self.words.format(**{name: _shown(value) for name, value in fields.items()})


def _shown(value: str | Raw) -> str:
    return value if isinstance(value, str) else bytes(value).decode()


class Set(Operation, frozen=True, tag="set"):
    """Gives a field a value, and makes the objects on the way to it."""

    value: Raw
    words = "set {path} to {value}"

    def check(self, path: Path) -> None:
        """Raise ValueError for a value that is no JSON, of which `Raw` makes sure only where it was decoded."""
        try:
            msgspec.json.decode(self.value)
        except (msgspec.DecodeError, RecursionError):
            raise ValueError(f"{_shown(self.value)} is no JSON") from None

    def apply(self, body: Raw) -> Raw:
        """Return the body with the value at the path."""
        return paths.changed(body, paths.parse(self.path), self._unless_equal, makes_way=True)

    def _unless_equal(self, value: Raw | None) -> Raw:
        return value if value is not None and bytes(value) == bytes(self.value) else self.value


class Move(Operation, frozen=True, tag="move"):
    """Moves a value to another path, and makes the objects on the way to it. What was there goes."""

    to: str
    words = "move {path} to {to}"

    def check(self, path: Path) -> None:
        """Raise ValueError where it is not told which element of which array is moved where."""
        target = self._target(path)
        if path == target:
            raise ValueError(f"{self.path} is moved to itself")
        if path[-1] is EACH or target[-1] is EACH or _shared(path) != _shared(target):
            raise ValueError(f"{self.path} cannot be moved to {self.to}: up to the last [] both have to be the same")

    def _target(self, path: Path) -> Path:
        return paths.parse(self.to)

    def apply(self, body: Raw) -> Raw:
        """Return the body with the value moved."""
        path = paths.parse(self.path)
        shared = _shared(path)
        source, target = path[len(shared) :], self._target(path)[len(shared) :]

        def moved(value: Raw | None) -> Raw | None:
            return None if value is None else _moved(value, source, target)

        return paths.changed(body, shared, moved) if shared else _moved(body, source, target)


def _shared(path: Path) -> Path:
    """Return the part of the path up to its last `[]`: a move takes place within one element."""
    return path[: max((at for at, name in enumerate(path, 1) if name is EACH), default=0)]


def _moved(value: Raw, source: Path, target: Path) -> Raw:
    if (taken := paths.found(value, source)) is None:
        return value
    without = paths.changed(value, source, lambda _: None)
    placed = paths.changed(without, target, lambda _: taken, makes_way=True)
    return value if placed is without else placed


class Rename(Move, frozen=True, tag="rename"):
    """Gives a field another name in the same object. `to` is the name alone, in which no character is special."""

    words = "rename {path} to {to}"

    def _target(self, path: Path) -> Path:
        if not self.to:
            raise ValueError("a field is renamed to nothing")
        return (*path[:-1], self.to)

    def apply(self, body: Raw) -> Raw:
        """Return the body with the field in its place under the new name."""
        *way, name = paths.parse(self.path)

        def renamed(value: Raw | None) -> Raw | None:
            fields = None if value is None else paths.fields_of(value)
            if fields is None or name not in fields:
                return value
            kept = {old: inner for old, inner in fields.items() if old != self.to}
            return Raw(msgspec.json.encode({self.to if old == name else old: inner for old, inner in kept.items()}))

        return paths.changed(body, tuple(way), renamed) if way else renamed(body) or body


class Delete(Operation, frozen=True, tag="delete"):
    """Takes a field, or all elements of an array, away."""

    words = "delete {path}"

    def apply(self, body: Raw) -> Raw:
        """Return the body without what is at the path."""
        return paths.changed(body, paths.parse(self.path), lambda _: None)


class ToNumber(Operation, frozen=True, tag="number"):
    """Turns a text with a number, or with a moment, which becomes Unix seconds, into a number."""

    words = "turn {path} into a number"

    def turned(self, value: bytes) -> bytes:
        """Return the number that the text is."""
        return as_type(value, NUMBER)


class ToText(Operation, frozen=True, tag="text"):
    """Turns a number into a text of its digits."""

    words = "turn {path} into a text"

    def turned(self, value: bytes) -> bytes:
        """Return the digits in quotes."""
        return as_type(value, TEXT)


class ToJson(Operation, frozen=True, tag="json"):
    """Turns a text that has JSON in it into what it says: what was encoded twice."""

    words = "turn the text {path} into the JSON that it has"

    def turned(self, value: bytes) -> bytes:
        """Return the JSON that the text is."""
        return as_type(value, JSON)


class ToSeconds(Operation, frozen=True, tag="seconds"):
    """Turns a number of milliseconds into seconds."""

    words = "turn {path} from milliseconds into seconds"

    def turned(self, value: bytes) -> bytes:
        """Return a thousandth, to the last digit."""
        return scaled(value, -3)


class ToMilliseconds(Operation, frozen=True, tag="milliseconds"):
    """Turns a number of seconds into milliseconds."""

    words = "turn {path} from seconds into milliseconds"

    def turned(self, value: bytes) -> bytes:
        """Return a thousandfold, to the last digit."""
        return scaled(value, 3)


class Wrap(Operation, frozen=True, tag="wrap"):
    """Moves a field, or all that the contract does not know if the path is empty, into `params` under its own name.

    What `params` already has stays.
    """

    path: str = ""
    words = "wrap {path} in params"

    def __post_init__(self) -> None:
        """Raise ValueError for a path of more than one name, or of a field that the contract has."""
        name = self.path and paths.parse(self.path)
        if name and (len(name) > 1 or name[0] == _PARAMS):
            raise ValueError("what is wrapped in params is a field beside it")

    def apply(self, body: Raw) -> Raw:
        """Return the body with the field in `params`."""
        fields = paths.fields_of(body) or {}
        known = {*RULES, "channel"}
        names = [name for name in fields if name not in known] if not self.path else paths.parse(self.path)
        params = fields.get(_PARAMS, Raw(contract.NULL))
        inside = {} if bytes(params) == contract.NULL else paths.fields_of(params)
        # All at once: one after another, thousands of fields would each write the body anew.
        wanted = set() if inside is None else {*names} - {*inside}
        wrapped = {name: value for name, value in fields.items() if name in wanted}
        if not wrapped:
            return body
        left = {name: value for name, value in fields.items() if name not in wrapped}
        return Raw(msgspec.json.encode(left | {_PARAMS: Raw(msgspec.json.encode({**(inside or {}), **wrapped}))}))

    def __str__(self) -> str:
        return self.words.format(path=self.path or "what the contract does not know")


AnyOperation = Set | Rename | Move | Delete | ToNumber | ToText | ToJson | ToSeconds | ToMilliseconds | Wrap
OF_TYPE: dict[str, type[ToNumber | ToText | ToJson]] = {NUMBER: ToNumber, TEXT: ToText, JSON: ToJson}
_decoder = msgspec.json.Decoder(list[AnyOperation])


def read(text: bytes | str) -> list[Operation]:
    """Return the operations that a JSON array spells. Raises ValueError for anything else."""
    if len(text) > MAX_BYTES:
        raise ValueError(f"operations have {MAX_BYTES} bytes at most")
    try:
        found: list[Operation] = [*_decoder.decode(text)]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    if len(found) > MAX_OPERATIONS:
        raise ValueError(f"at most {MAX_OPERATIONS} operations")
    return found


def written(operations: Iterable[Operation]) -> str:
    """Return the operations as the JSON that `read` reads."""
    return msgspec.json.encode(list(operations)).decode()


def mended(body: bytes, operations: Sequence[Operation]) -> bytes:
    """Return the body with the operations done to it, one after another; the very same if there is nothing to do.

    Raises `Refusal` (`too_large`) if it would outgrow an event.
    """
    try:
        before = Raw(json_rules.clean(body)) if operations else Raw()
    except Refusal:
        return body
    after = before
    for operation in operations:
        after = operation.apply(after)
        paths.check_size(len(bytes(after)), paths.limit_of(body))
    return body if after is before else bytes(after)
