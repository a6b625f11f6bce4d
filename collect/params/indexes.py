"""The SQL of the indexes on single keys of `params`, which `index_param` makes and `where_param` uses.

What is indexed is a short form of the value: PostgreSQL refuses an INSERT whose index entry has more than 2,700 bytes,
and no sender may be refused for an index. Forms keep the order of the values, so that a query asks for a range of
forms, which the index has, and for the value itself. A row is never missed; it may be read in vain.
"""

import re

# Characters of a text that its form keeps: 800 bytes at most.
MOST_CHARACTERS = 200
# Keys that no encoder writes with escapes, and that SQLite's paths can say: its JSON functions compare keys as written.
_PLAIN = re.compile(r"[A-Za-z0-9_ -]+")


def literal(text: str) -> str:
    """Return a text as SQL has it. A parameter would not do: no index of an expression matches one."""
    return "'" + text.replace("'", "''") + "'"


def member(column: str, key: str) -> str:
    """Return PostgreSQL's SQL of the value under a key."""
    return f"({column} -> {literal(key)})"


def bounded(number: str) -> str:
    """Return the form of a number: no more than 30 digits before the point and ten after it."""
    return f"round(LEAST(GREATEST({number}, -1e30), 1e30), 10)"


def beginning(text: str) -> str:
    """Return the form of a text."""
    return f"left({text}, {MOST_CHARACTERS})"


def number_form(column: str, key: str) -> str:
    """Return the first column of an index on PostgreSQL: NULL for what is no number."""
    value = member(column, key)
    return f"(CASE WHEN jsonb_typeof({value}) = 'number' THEN {bounded(f'{value}::numeric')} END)"


def text_form(column: str, key: str) -> str:
    """Return the second one: texts, and the words `true` and `false`, in the order of their code points."""
    text = beginning(f"{column} ->> {literal(key)}")
    kind = f"jsonb_typeof({member(column, key)})"
    return f"((CASE WHEN {kind} IN ('string', 'boolean') THEN {text} END) COLLATE \"C\")"


def is_there(column: str, key: str) -> str:
    """Return PostgreSQL's SQL of the rows that an index has: those with the key, whatever the value."""
    return f"{member(column, key)} IS NOT NULL"


def sqlite_path(parts: tuple[str, ...]) -> str | None:
    """Return the path as SQLite's JSON functions take it, as a literal, or None if they cannot find it surely."""
    if not all(map(_PLAIN.fullmatch, parts)) or any(part.isdigit() for part in parts[1:]):
        return None
    return literal("$" + "".join(f'."{part}"' for part in parts))


def sqlite_value(column: str, path: str) -> str:
    """Return SQLite's value at a path: an integer, a float or a text; 1 and 0 for true and false."""
    return f"json_extract({column}, {path})"


def sqlite_is_there(column: str, path: str) -> str:
    """Return SQLite's SQL of the rows that have something at a path, be it null."""
    return f"json_type({column}, {path}) IS NOT NULL"
