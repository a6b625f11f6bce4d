"""The section of a key's page that orders captures and lists what was kept."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from keys import lifecycle
from keys.models import ApiKey
from reporting import captures


class CaptureForm(forms.Form):
    """How many requests are to be kept."""

    requests = forms.IntegerField(
        min_value=1,
        max_value=lifecycle.MAX_CAPTURED,
        initial=20,
        widget=UnfoldAdminIntegerFieldWidget(attrs={"id": "capture-requests"}),
    )


def section(request: HttpRequest, key: ApiKey) -> dict[str, Any] | None:
    """Return what the section shows; None to a user who may neither order captures nor see them."""
    may_see = request.user.has_perm("collect.view_capture")
    if not (may_see or request.user.has_perm("collect.capture_requests")):
        return None
    is_running = key.capture_left > 0 and key.capture_until is not None and key.capture_until > timezone.now()
    return {
        "form": CaptureForm(),
        "left": key.capture_left if is_running else 0,
        "until": key.capture_until,
        "kept": captures.of_key(key) if may_see else [],
        "may_see": may_see,
        "minutes": int(lifecycle.CAPTURE_TIME.total_seconds() // 60),
    }
