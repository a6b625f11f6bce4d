"""The paths of the events API, below `/api/` and `/v1/api/`. No trailing slash, and never a redirect."""

from django.urls import path

from collect.views import BatchView, CollectView, ValidateView

urlpatterns = [
    path("collect", CollectView.as_view(), name="collect"),
    path("collect/batch", BatchView.as_view(), name="batch"),
    path("collect/validate", ValidateView.as_view(), name="validate"),
]
