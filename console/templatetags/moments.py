"""Moments in templates, in the forms that pages and terminals have in common."""

from django import template

from runtime import display

register = template.Library()

register.filter("to_the_millisecond", display.millisecond)
