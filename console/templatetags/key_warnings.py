"""A template tag with the warnings, for the console's first page and the list of keys."""

from django import template

from console import warnings

register = template.Library()


@register.simple_tag
def key_warnings() -> list[warnings.Warning]:
    """Return the warnings that there are now."""
    return warnings.find()
