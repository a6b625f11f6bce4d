"""The page of the API's documentation, with a policy as strict as Swagger UI bears."""

from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from console import policy


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI without a script or a style in the page: the script that starts it is this view's too."""

    template_name = "docs.html"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the page, or its script, with the policy."""
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]  # it has no types
        response["Content-Security-Policy"] = policy.DOCS
        return response
