"""Rejections by cause: the list of groups, and a group's page, with what to tell the sender of it."""

import re
from typing import Any, ClassVar, cast

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views import View

from collect.models import RejectionGroup
from collect.storage.grouping import groups as stored
from console.charts import Chart, Line, Point, Series
from console.pages import choices, mending
from console.pages.frame import DataPage
from reporting.ranges import LENGTHS, BadRange, Range
from reporting.rejections import groups, telling
from reporting.rejections.groups import GroupFilter
from reporting.rejections.report import report
from runtime.display import number, second, share

_TIMES = ("range", "from", "until")


def _address(name: str, query: dict[str, str], *args: int) -> str:
    return reverse(f"console:{name}", args=args, query=query)


def filter_of(query: dict[str, str], range: Range) -> GroupFilter:
    """Return the filter that an address names. Raises `BadRange` for an id, code or state that is none."""
    for name in ("partner", "key"):
        if not re.fullmatch(r"[0-9]{0,18}", query.get(name, "")):
            raise BadRange(f"{name}: a number, not {query[name]!r}")
    _one_of("state", query.get("state", ""), groups.STATES)
    _one_of("code", query.get("code", ""), [*telling.CODES])
    return GroupFilter(
        range,
        partner=int(query["partner"]) if query.get("partner") else None,
        key=int(query["key"]) if query.get("key") else None,
        code=query.get("code") or None,
        state=query.get("state") or None,
    )


def _one_of(name: str, value: str, known: "tuple[str, ...] | list[str]") -> None:
    if value and value not in known:
        raise BadRange(f"{name}: one of {', '.join(known)}, not {value!r}")


class RejectionsPage(DataPage):
    """The groups that were seen in a range: most rejections first, or the latest."""

    title = "Rejections"
    template_name = "admin/console/rejections.html"
    permissions: ClassVar = ("collect.view_rejection",)

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return the groups under the filter that the address has. Raises `BadRange`."""
        query, within = request.GET.dict(), self.range(request)
        order = query.get("order") or groups.COUNT
        _one_of("order", order, groups.ORDERS)
        rows = groups.listed(filter_of(query, within), order)
        names = ("partner", "key", "code", "state", "order")
        return {
            "range": str(within),
            "filter": {name: query[name] for name in names if query.get(name)},
            "groups": [row.as_data() for row in rows],
            "is_cut": len(rows) == groups.MAX_GROUPS,
        }

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return the choices of the filter, and each group's row with its line and its address."""
        times = {name: request.GET[name] for name in _TIMES if request.GET.get(name)}
        return {
            "rows": [_row(group, times) for group in data["groups"]],
            "times": times,
            "ranges": list(LENGTHS),
            "chosen_range": times.get("range") or ("" if times else self.default_range),
            "partners": choices.partners(request),
            "keys": choices.keys(request, data["filter"].get("partner")),
            "codes": [(code, code.replace("_", " ")) for code in telling.CODES],
            "states": groups.STATES,
            "orders": [(groups.COUNT, "most first"), (groups.LAST_SEEN, "latest first")],
        }


def _row(group: dict[str, Any], times: dict[str, str]) -> dict[str, Any]:
    return group | {
        "href": _address("rejection_group", times, group["id"]),
        "line": Line(f"Rejections of group {group['id']}", group["trend"], "rejections"),
        "shown_count": number(group["count"]),
        "shown_share": "unknown" if group["share"] is None else share(group["share"]),
        "shown_first": second(group["first_seen"]),
        "shown_last": second(group["last_seen"]),
    }


class GroupPage(DataPage):
    """One group: how many and since when, by which builds, an example, the rule, and a message for the sender."""

    title = "Rejections of one cause"
    template_name = "admin/console/rejection_group.html"
    permissions: ClassVar = ("collect.view_rejection",)

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return the group `group`. Raises `BadRange` and `Http404`."""
        group = get_object_or_404(RejectionGroup.objects.select_related("partner", "api_key"), pk=named["group"])
        within = self.range(request)
        told = report(group, within, request.build_absolute_uri("/api/collect"))
        return told | {"mending": mending.parts(group, request)}

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return the chart, and what the operator may do."""
        within = self.range(request)
        return {
            "chart": _chart(data, within),
            "shown": _row(data, {}),
            "may_change": request.user.has_perm(mending.CHANGE_RIGHT),
            "mend": mending.context(request, data["mending"]),
            "history": LogEntry.objects.filter(content_type__model="rejectiongroup", object_id=str(data["id"]))
            .select_related("user").order_by("-action_time")[:20],
            "ranges": list(LENGTHS),
            "chosen_range": request.GET.get("range") or self.default_range,
        }  # fmt: skip


def _chart(data: dict[str, Any], within: Range) -> Chart:
    series = Series("rejected", "rejections", "chart-rejected")
    points = [
        Point(start, end, _address("rejection_group", Range(start, end).query, data["id"]), {"rejected": value})
        for (start, end), value in zip(groups.steps(within), data["trend"], strict=True)
    ]
    return Chart("Rejections over time", [series], points, "rejections")


class GroupStateView(View):
    """The buttons of a group's page: resolve it, or open it again. The history has who did."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, group: int) -> HttpResponse:
        """Do what the button says and return to the page. Raises PermissionDenied and Http404."""
        if not request.user.has_perm(mending.CHANGE_RIGHT):
            raise PermissionDenied
        found = get_object_or_404(RejectionGroup, pk=group)
        user = cast(User, request.user)
        if request.POST.get("do") == "resolve":
            stored.resolve(found.pk, user.get_username())
            said = "Resolved. If it is seen again, it is marked as regressed."
        elif request.POST.get("do") == "reopen":
            stored.reopen(found.pk)
            said = "Opened again."
        else:
            raise Http404
        LogEntry.objects.log_actions(user.pk, [found], CHANGE, said, single_object=True)
        messages.success(request, said)
        return redirect("console:rejection_group", group=group)
