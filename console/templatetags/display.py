"""Template filters that write moments and shares as all pages of the console do."""

from django import template

from runtime import display

register = template.Library()
register.filter("second", display.second)
register.filter("minute", display.minute)


@register.filter
def share(part: float | None) -> str:
    """Return a share of 1 in per cent, `-` for none."""
    return "-" if part is None else display.share(part)
