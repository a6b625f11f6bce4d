"""What every list of the console does with the address that asks for it: show something, whatever it says."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR
from django.db import DatabaseError, DataError, OperationalError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList as UnfoldChangeList

from runtime import failures


class ChangeList(UnfoldChangeList):
    """A list that is always shown: sorted by columns that can be sorted, counted within a bound, given up in time."""

    # What Django sets as it goes.
    params: dict[str, str]
    filter_specs: list[Any]
    queryset: QuerySet[Any]
    root_queryset: QuerySet[Any]
    result_list: Any

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        if self.add_facets:
            self._count(request)

    def get_filters(self, request: HttpRequest) -> Any:
        """Return the filters. Raises IncorrectLookupParameters for a part of the address that is none of them."""
        for name, values in self.get_filters_params().items():
            if not self.model_admin.lookup_allowed(name, values[-1], request):
                raise IncorrectLookupParameters
        return super().get_filters(request)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Return the order, by sortable columns alone: Django only hides the links of the others."""
        if order := self.params.get(ORDER_VAR):
            columns = dict.fromkeys(part for part in order.split(".") if self._is_sortable(part))
            self.params = {**self.params, ORDER_VAR: ".".join(columns)}
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering

    def _is_sortable(self, part: str) -> bool:
        number = part.removeprefix("-")
        if not (number.isdecimal() and len(number) < 3 and int(number) < len(self.list_display)):
            return False
        return self.sortable_by is None or self.list_display[int(number)] in self.sortable_by

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return the rows of the list; for the counts of a filter, which leaves its own parameters out, the newest."""
        queryset: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        if exclude_parameters is None or self._oldest_counted is None:
            return queryset
        return queryset.filter(pk__gte=self._oldest_counted)

    @cached_property
    def _oldest_counted(self) -> Any:
        """The key of the last row that is counted, None where all are."""
        bound = getattr(self.model_admin, "counted_rows", None)
        newest = self.model._default_manager.order_by("-pk").values_list("pk", flat=True)
        return None if bound is None else newest[bound - 1 : bound].first()

    def get_results(self, request: HttpRequest) -> None:
        """Read the rows of the page; none, and a word about it, where that takes too long.

        Raises IncorrectLookupParameters, on which Django shows the whole list, for a value that cannot be looked for.
        """
        try:
            super().get_results(request)
            self.result_list = list(self.result_list)
        except (DataError, OverflowError, ValueError) as error:
            raise IncorrectLookupParameters from error
        except OperationalError as error:
            if not failures.is_timed_out(error):
                raise
            messages.error(
                request,
                f"Reading the list took longer than {settings.STATEMENT_SECONDS} seconds and was given up. "
                "Choose fewer rows by filters or a search.",
            )
            self.page_num, self.root_queryset = 1, self.root_queryset.none()
            self.queryset = self.queryset.none()
            super().get_results(request)

    def _count(self, request: HttpRequest) -> None:
        """Count the rows behind each choice of each filter, or leave the counts out where that does not succeed."""
        shown = self.filter_specs  # each count makes them anew
        try:
            for spec in shown:
                counted = spec.get_facet_queryset(self)
                spec.get_facet_queryset = lambda _list, counted=counted: counted
            if self._oldest_counted is not None:
                messages.info(request, f"Only the newest {self.model_admin.counted_rows:,} rows are counted.")
        except DatabaseError:
            messages.warning(request, "Counting took too long and was given up; the list itself is whole.")
            self.add_facets = False
        self.filter_specs = shown
