"""The addresses of the console's own pages, below /admin/."""

from django.urls import URLPattern

from console.pages.frame import routes
from console.pages.live import LivePage
from console.pages.search import SearchPage

app_name = "console"

urlpatterns: list[URLPattern] = [
    *routes("live", LivePage, "live"),
    *routes("search", SearchPage, "search"),
]
