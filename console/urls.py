"""The addresses of the console's own pages, below /admin/."""

from django.contrib import admin
from django.urls import path

from console.pages import captures
from console.pages.frame import routes
from console.pages.ledger import LedgerPage
from console.pages.live import LivePage
from console.pages.mending import MendPage
from console.pages.overview import OverviewPage
from console.pages.partners import PartnerPage, PartnersPage
from console.pages.rejections import GroupPage, GroupStateView, RejectionsPage
from console.pages.reports import pages as reports
from console.pages.search import SearchPage

app_name = "console"

urlpatterns = [
    # In the place of the admin's own first page.
    path("", admin.site.admin_view(OverviewPage.as_view()), name="home"),
    *routes("overview", OverviewPage, "overview"),
    *routes("ledger", LedgerPage, "ledger"),
    *captures.urlpatterns,
    *routes("live", LivePage, "live"),
    # Not /admin/search/, which is unfold's own; its command (Ctrl+K) posts to this page.
    *routes("find", SearchPage, "search"),
    *routes("rejections", RejectionsPage, "rejections"),
    *routes("rejections/<int:group>", GroupPage, "rejection_group"),
    path("rejections/<int:group>/state/", admin.site.admin_view(GroupStateView.as_view()), name="rejection_state"),
    *routes("rejections/<int:group>/mend", MendPage, "group_mend"),
    *reports.urlpatterns,
    *routes("partners", PartnersPage, "partners"),
    *routes("partners/<int:partner_id>", PartnerPage, "partner"),
]
