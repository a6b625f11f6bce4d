"""The addresses of the console's own pages, below /admin/."""

from django.urls import URLPattern

app_name = "console"

urlpatterns: list[URLPattern] = []
