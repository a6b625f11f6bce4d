"""Sums of ten-thousandths that no number of events makes overflow: SQLite refuses a sum of more than 64 bits."""

from typing import Any

from django.db.models import BigIntegerField, Sum

from reporting.views.columns import SQLITE, total


class Total(Sum):
    """The sum of a column of ten-thousandths, a whole number; nearly that on SQLite if it has more than 64 bits."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the SQL of SQLite, whose result is a whole number and not one of decimals."""
        whole = self.copy()
        whole.output_field = BigIntegerField()
        template = total(SQLITE, "%(expressions)s").replace(" % ", " %% ")
        return whole.as_sql(compiler, connection, template=template, **context)
