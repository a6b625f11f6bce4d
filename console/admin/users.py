"""Users and groups in the console, with its own forms, so that their pages look like all others."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import ManyToManyField
from django.utils.html import format_html
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from console.admin.pages import Page

admin.site.unregister(User)
admin.site.unregister(Group)


# A box to tick for each group and permission. Django's two lists beside each other do not fit on a telephone, and tell
# those who hear a page nothing.
TICKED: Any = {ManyToManyField: {"widget": UnfoldAdminCheckboxSelectMultipleWidget}}
CSS = {"all": ["console/ticked.css"]}


class UserForm(UserChangeForm):
    """Changes a user; the link in its text is one without colours, too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        password = self.fields["password"]
        password.help_text = format_html(
            "The password itself is not kept, so nobody can see it. "
            '<a class="underline text-primary-600 dark:text-primary-500" href="{}">Set another one</a>.',
            "../password/",
        )


@admin.register(User)
class UserAdmin(BaseUserAdmin, Page):  # type: ignore[type-arg]  # generic in the stubs only
    """Who may use the console."""

    form = UserForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    formfield_overrides = TICKED
    filter_horizontal = ()

    class Media:
        css = CSS


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, Page):
    """What users may do together."""

    formfield_overrides = TICKED
    filter_horizontal = ()

    class Media:
        css = CSS
