"""Makes the views in the database and removes them. Migrations call it; a change of a definition needs a new one.

A migration that changes a table below the views removes them first and makes them again: both databases refuse to
change a column that a view reads.
"""

from typing import Any

from django.db import connection as default_connection
from django.db.backends.base.base import BaseDatabaseWrapper

from reporting.views import counts, events
from reporting.views.columns import POSTGRESQL
from reporting.views.view import View


def views(vendor: str) -> list[View]:
    """Return the views in the order in which they build on each other."""
    of_events = [events.events(vendor), events.conversions(vendor), events.touches(vendor)]
    return [*of_events, counts.quarters(vendor), counts.daily(vendor)]


def make(connection: BaseDatabaseWrapper = default_connection) -> None:
    """Make the views as they are defined now. They are not there before. Raises `django.db.Error`."""
    with connection.cursor() as cursor:
        for view in views(connection.vendor):
            for statement in _statements(view, connection.vendor):
                cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper = default_connection) -> None:
    """Remove the views that are there. Raises `django.db.Error`."""
    with connection.cursor() as cursor:
        for view in reversed(views(connection.vendor)):
            cursor.execute(f"DROP VIEW IF EXISTS {view.name}")


def _statements(view: View, vendor: str) -> list[str]:
    # SQLite has no comments on columns; it keeps the text of the view, and the sentences in it.
    made = [f"CREATE VIEW {view.name} AS -- {view.sentence}\n{view.sql()}"]
    if vendor == POSTGRESQL:
        made.append(f"COMMENT ON VIEW {view.name} IS {_text(view.sentence)}")
        made += [f"COMMENT ON COLUMN {view.name}.{column.name} IS {_text(column.sentence)}" for column in view.columns]
    return made


def _text(sentence: str) -> str:
    return "'" + sentence.replace("'", "''") + "'"


def forwards(_apps: Any, schema_editor: Any) -> None:
    """Make the views, in a migration."""
    make(schema_editor.connection)


def backwards(_apps: Any, schema_editor: Any) -> None:
    """Remove the views, in a migration that is undone."""
    remove(schema_editor.connection)
