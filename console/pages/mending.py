"""Mending a group of rejections: a form of operations, an example before and after, preview, replay and cancel.

Everything is in the address, so that a colleague can be sent it. Every button posts and comes back to an address, so
that the page works without script; with script, what is under way is shown as it goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

import msgspec
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from msgspec import Raw

from collect.backfills.formats import tables
from collect.mending import mends
from collect.mending import operations as operations_of
from collect.mending.operations import MAX_OPERATIONS, Operation
from collect.models import Mend, Rejection, RejectionGroup
from collect.storage.rejections import MAX_KEPT_BODY
from console.admin.key_steps import ID
from console.pages.frame import DataPage
from reporting import mending

RIGHT, CHANGE_RIGHT = "collect.replay_rejection", "collect.change_rejection"
# Rejections of a group among which an example is looked for.
LOOKED_AT = 200
# The operations, with what their second field is; those without have none.
CHOICES = {
    "set": ("set to a value", "value: JSON, or a text"),
    "rename": ("rename", "new name"),
    "move": ("move", "new path"),
    "delete": ("delete", ""),
    "number": ("text to number", ""),
    "text": ("number to text", ""),
    "json": ("text to the JSON in it", ""),
    "seconds": ("milliseconds to seconds", ""),
    "milliseconds": ("seconds to milliseconds", ""),
    "wrap": ("wrap in params", ""),
}


@dataclass(frozen=True, slots=True)
class FormRow:
    """One operation as it stands in the form and in the address."""

    op: str = "set"
    path: str = ""
    to: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether nothing was filled in. What is wrapped may be all, which is an empty path."""
        return not (self.path.strip() or self.to.strip() or self.op == "wrap")

    def operation(self) -> dict[str, Any]:
        """Return the operation as `collect.mending.operations` spells it."""
        found: dict[str, Any] = {"op": self.op, "path": self.path.strip()}
        if self.op == "set":
            found["value"] = Raw(tables.literal(self.to.strip()))
        elif self.op in ("rename", "move"):
            found["to"] = self.to.strip()
        return found


def rows_of(query: QueryDict) -> list[FormRow]:
    """Return the rows that an address or a form has, without blank ones."""
    fields = zip(query.getlist("op"), query.getlist("path"), query.getlist("to"), strict=False)
    rows = [FormRow(*row) for row in fields]
    return [row for row in rows[: MAX_OPERATIONS + 1] if not row.is_blank]


def address(rows: Sequence[FormRow], times: Mapping[str, str] | None = None) -> str:
    """Return the rows, and the time that the page looks at, as the query of an address."""
    pairs = [pair for row in rows for pair in (("op", row.op), ("path", row.path), ("to", row.to))]
    return urlencode([*(times or {}).items(), *pairs])


def _times(query: QueryDict) -> dict[str, str]:
    return {name: str(query[name]) for name in ("range", "from", "until") if query.get(name)}


def operations(rows: Sequence[FormRow]) -> list[Operation]:
    """Return the operations that the rows are. Raises ValueError with what is wrong with the first that is none."""
    for number, row in enumerate(rows, 1):
        try:
            operations_of.read(msgspec.json.encode([row.operation()]))
        except ValueError as error:
            raise ValueError(f"Operation {number}: {str(error).partition(' - at `$')[0]}") from None
    return operations_of.read(msgspec.json.encode([row.operation() for row in rows]))


def as_rows(done: Sequence[Operation]) -> list[FormRow]:
    """Return the rows of the form that the operations are."""
    rows = []
    for one in done:
        spelled: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(one))
        to = bytes(one.value).decode() if isinstance(one, operations_of.Set) else spelled.get("to", "")
        rows.append(FormRow(spelled["op"], spelled["path"], to))
    return rows


def parts(group: RejectionGroup, request: HttpRequest) -> dict[str, Any]:
    """Return the data of a group's mending: what the address asks for, an example, suggestions and the last mends.

    Operations are done only for who may mend: they are work, and an address is sent from anybody to anybody.
    """
    rows, fault, done = rows_of(request.GET) if request.user.has_perm(RIGHT) else [], "", list[Operation]()
    try:
        done = operations(rows)
    except ValueError as error:
        fault = str(error)
    found = {"group": group.pk, "operations": [str(one) for one in done], "fault": fault}
    chosen = _example(group)
    return {
        **found,
        "example": None if chosen is None else mending.example(chosen, done),
        "suggestions": [] if chosen is None else [_suggested(one) for one in mending.suggestions(chosen)],
        "mends": mending.of_group(group.pk),
    }


def _example(group: RejectionGroup) -> Rejection | None:
    """Return the newest rejection that is kept in full and not replayed yet, if there is one among the newest."""
    kept = Rejection.objects.filter(group=group).order_by("-id")
    newest = list(kept.values_list("id", "replayed_as", "body_size")[:LOOKED_AT])
    left = (id for id, replayed_as, size in newest if replayed_as is None and size <= MAX_KEPT_BODY)
    chosen = next(left, newest[0][0] if newest else 0)
    return kept.select_related("api_key").filter(pk=chosen).first()


def _suggested(done: Sequence[Operation]) -> dict[str, str]:
    return {"words": ", then ".join(map(str, done)), "query": address(as_rows(done))}


def context(request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
    """Return what the template needs besides the data: the form's rows, one of them blank, and the current mend."""
    rows = rows_of(request.GET)
    here = request.path.removesuffix(".json")
    page = _one_of(here, request.GET.get("page"))
    return {
        "rows": [*rows, *[FormRow()] * (len(rows) < MAX_OPERATIONS)],
        "choices": [(op, words) for op, (words, _) in CHOICES.items()],
        "may_mend": request.user.has_perm(RIGHT),
        "may_resolve": request.user.has_perm(CHANGE_RIGHT),
        "current": next(iter(data["mends"]), None),
        "page": page,
        "times": _times(request.GET),
        "query": address(rows, {"page": page, **_times(request.GET)}),
    }


class MendPage(DataPage):
    """The mending of one group. Asked by htmx, every second, it is the part that tells how it goes, and no example."""

    title = "Mend rejections"
    template_name = "admin/console/mend.html"
    permissions: ClassVar = ("collect.view_rejection",)
    http_method_names = ["get", "head", "post"]

    def data(self, request: HttpRequest, **named: Any) -> dict[str, Any]:
        """Return the data of the group's mending. Raises Http404."""
        group = _group(named["group"])
        if self._is_part(request):
            return {"mending": {"group": group.pk, "mends": mending.of_group(group.pk)}}
        return {"mending": parts(group, request)}

    def context(self, request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
        """Return the form."""
        return {"mend": context(request, data["mending"])}

    def get(self, request: HttpRequest, **named: Any) -> HttpResponse:
        """Answer with the page, its data, or its part. Raises PermissionDenied and Http404."""
        if self._is_part(request):
            self.template_name = "admin/console/mend_state.html"
        return super().get(request, **named)

    def _is_part(self, request: HttpRequest) -> bool:
        return "HX-Request" in request.headers and not self.is_json

    def post(self, request: HttpRequest, **named: Any) -> HttpResponse:
        """Do what the button says, and come back to the page. Raises PermissionDenied and Http404."""
        if not request.user.has_perms((*self.permissions, RIGHT)):
            raise PermissionDenied
        group = _group(named["group"])
        rows = rows_of(request.POST)
        does = request.POST.get("do", "")
        if does == "replay":
            _replay(request, _mend(group, request.POST.get("mend", "")))
        elif does == "cancel":
            _cancel(request, _mend(group, request.POST.get("mend", "")))
        elif does.startswith("remove-"):
            rows = [row for number, row in enumerate(rows) if does != f"remove-{number}"]
        elif does == "preview":
            _preview(request, group, rows)
        page = _one_of(request.path, request.POST.get("page"))
        return redirect(f"{page}?{address(rows, _times(request.POST))}#mending")


def _one_of(here: str, page: str | None) -> str:
    """Return the address of the page that shows the part: `here`, or the group's own, if `page` is that."""
    of_group = here.removesuffix("mend/")
    return of_group if page == of_group else here


def _group(id: int) -> RejectionGroup:
    group = RejectionGroup.objects.select_related("partner").filter(pk=id).first() if ID.fullmatch(str(id)) else None
    if group is None:
        raise Http404
    return group


def _mend(group: RejectionGroup, id: str) -> Mend:
    mend = Mend.objects.filter(group=group, pk=int(id)).first() if ID.fullmatch(id) else None
    if mend is None:
        raise Http404
    return mend


def _preview(request: HttpRequest, group: RejectionGroup, rows: Sequence[FormRow]) -> None:
    try:
        done = operations(rows)
    except ValueError:  # the page that this leads to says what is wrong
        return
    mends.preview(done, cast(User, request.user), group=group)


def _replay(request: HttpRequest, preview: Mend) -> None:
    try:
        replay = mends.replay(preview, cast(User, request.user))
    except ValueError as error:
        messages.error(request, f"Not replayed: {error}.")
        return
    said = mending.state(preview)
    done = "; ".join(said["operations"]) or "as they were sent"
    _note(request, replay, f"Replayed: {done}. Preview: {said['sentence']}.")


def _cancel(request: HttpRequest, mend: Mend) -> None:
    if mends.cancel(mend):
        _note(request, mend, f"Cancelled the {mend.kind}.")
    else:
        messages.warning(request, f"The {mend.kind} had ended before.")


def _note(request: HttpRequest, mend: Mend, said: str) -> None:
    """Write into the admin's history who did what to the group."""
    groups = RejectionGroup.objects.filter(mends=mend)
    LogEntry.objects.log_actions(cast(User, request.user).pk, groups, CHANGE, said)
