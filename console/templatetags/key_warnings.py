"""The warnings for templates: the console's first page, and the list of keys."""

from django import template

from console import warnings

register = template.Library()


@register.simple_tag
def key_warnings() -> list[warnings.Warning]:
    """What there is to say now."""
    return warnings.find()
