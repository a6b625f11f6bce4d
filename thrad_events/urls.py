"""All URLs of the server, on one screen."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from console import error_pages
from thrad_events import docs, health

urlpatterns = [
    path("api/", include("collect.urls")),
    path("v1/api/", include(("collect.urls", "collect"), namespace="v1")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", docs.DocsView.as_view(url_name="schema"), name="docs"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("admin/", include("console.urls")),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
]

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.not_found
handler500 = error_pages.server_error
