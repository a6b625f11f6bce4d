"""The addresses of the console's own pages, below /admin/."""

from django.contrib import admin
from django.urls import URLPattern, path

from console.pages.frame import routes
from console.pages.ledger import LedgerPage
from console.pages.live import LivePage
from console.pages.overview import OverviewPage
from console.pages.search import SearchPage

app_name = "console"

urlpatterns: list[URLPattern] = [
    # In the place of the admin's own first page.
    path("", admin.site.admin_view(OverviewPage.as_view()), name="home"),
    *routes("overview", OverviewPage, "overview"),
    *routes("ledger", LedgerPage, "ledger"),
    *routes("live", LivePage, "live"),
    *routes("search", SearchPage, "search"),
]
