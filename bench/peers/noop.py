"""`noop`: an empty DRF view, trimmed as ours is, on our gunicorn, middleware and settings: the ceiling of the stack."""

from django.http import HttpResponse
from django.urls import path

from collect.views import SenderView


class NoopView(SenderView):
    authentication_classes = []

    def post(self, request):
        return HttpResponse(status=204)


urlpatterns = [path("api/collect", NoopView.as_view())]
