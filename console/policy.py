"""What a browser may do with a page of the console: the Content-Security-Policy, and that no copy of it is kept."""

from django.http import HttpResponse
from django.utils.cache import add_never_cache_headers

# Nothing but what comes from this server, and no script or style that stands in a page or is made of a text.
_CONSOLE = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def _header(policy: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in policy.items())


CONSOLE = _header(_CONSOLE)
DOCS = _header(_CONSOLE | {"img-src": "'self' data:"})


def protect(response: HttpResponse) -> None:
    """Set the headers of a page of the console, whatever the view has set."""
    response["Content-Security-Policy"] = CONSOLE
    # For browsers that do not know the policy; an answer that is given early has not passed Django's middleware for it.
    response["X-Frame-Options"] = "DENY"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    add_never_cache_headers(response)
