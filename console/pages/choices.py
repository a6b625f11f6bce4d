"""What a filter offers to choose from: partners and keys, to those who may see them."""

from collections.abc import Sequence

from django.http import HttpRequest

from keys.models import ApiKey, Partner

# How many there are of each. An address may name any other.
MOST = 500


def may_see_keys(request: HttpRequest) -> bool:
    """Tell whether the user may see keys, as the warnings of all pages ask it (templates/admin/warnings.html)."""
    return request.user.has_perm("keys.view_apikey") or request.user.has_perm("keys.change_apikey")


def partners(request: HttpRequest) -> Sequence[tuple[int, str]]:
    """Return number and name of the partners, by name; none to whoever may not see them."""
    if not request.user.has_perm("keys.view_partner"):
        return []
    return list(Partner.objects.order_by("name").values_list("pk", "name")[:MOST])


def keys(request: HttpRequest, partner: str | None) -> Sequence[ApiKey]:
    """Return the keys of the partner with this number, or of all; none to whoever may not see them."""
    if not may_see_keys(request):
        return []
    found = ApiKey.objects.select_related("partner").order_by("partner__name", "-pk")
    return list((found.filter(partner=int(partner)) if partner else found)[:MOST])
