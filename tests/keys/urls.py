"""The console and one view behind a key: what these tests need of the surface, without the other apps."""

from typing import cast

from django.contrib import admin
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from keys.models import ApiKey


class WhoView(APIView):
    """Tell who the request comes from."""

    def get(self, request: Request) -> Response:
        """The key's prefix, and that nobody is logged in."""
        return Response({"prefix": cast(ApiKey, request.auth).prefix, "user": request.user})


urlpatterns = [path("admin/", include("console.urls")), path("admin/", admin.site.urls), path("who", WhoView.as_view())]
