"""The forms of keys in the console."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextareaWidget

from keys.models import ApiKey

# How long a key goes on working after another has taken its place: in minutes, or until a date.
GRACES = [
    ("0", "not at all: it ends now"),
    ("30", "30 minutes"),
    ("1440", "24 hours"),
    ("10080", "7 days"),
    ("date", "until a date"),
]


class Lines(forms.Field):
    """A list of texts, one on each line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        """Return the list as text, with one entry on each line."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        """Return the entries as a list, without blank lines."""
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]


class NamedSelect(AutocompleteSelect):
    """Searches as one types, and has a name for those who hear the page."""

    @property
    def media(self) -> forms.Media:
        """Return the scripts of the field, the one that names it last."""
        return super().media + forms.Media(js=["admin/js/autocomplete.js", "console/named_select.js"])


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Edits a key, with its restrictions as lines of text."""

    tags = Lines(required=False, label="Allowed tags", help_text=ApiKey._meta.get_field("tags").help_text)
    networks = Lines(required=False, label="Allowed networks", help_text=ApiKey._meta.get_field("networks").help_text)


class RotateForm(forms.Form):
    """Asks how long the old key goes on working."""

    grace = forms.ChoiceField(choices=GRACES, initial="1440", widget=UnfoldAdminSelectWidget)
    until = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget, help_text="In UTC, if you chose a date above."
    )

    def clean(self) -> dict[str, Any]:
        """Set `until` to the moment at which the old key ends.

        Raises ValidationError where a date is to be given and is missing or past.
        """
        data: dict[str, Any] = super().clean() or {}
        now = timezone.now()
        if data.get("grace") != "date":
            data["until"] = now + timedelta(minutes=int(data.get("grace") or 0))
        elif data.get("until") is None or data["until"] <= now:
            raise ValidationError({"until": "Choose a moment that is still to come."})
        return data
