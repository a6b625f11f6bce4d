"""`textbook`: what the DRF tutorial leads to. A ModelSerializer, a key looked up by query, an INSERT a request.

It stores the same row with the same enrichment, and answers after the same commit.
"""

import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from collect.enrichment import site_tag, user_agent
from collect.enrichment.of_request import Enrichment
from collect.models import Event
from collect.storage import rows
from keys.models import ApiKey


class SentRequest(Request):
    """A request as it comes to the view. A type to annotate with; nobody makes one."""

    enrichment: Enrichment
    auth: ApiKey


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        _, _, raw_key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        try:
            key = ApiKey.objects.get(digest=hashlib.sha256(raw_key.encode()).hexdigest(), revoked_at=None)
        except ApiKey.DoesNotExist:
            raise exceptions.AuthenticationFailed from None
        return None, key


class EventSerializer(serializers.ModelSerializer[Event]):
    class Meta:
        model = Event
        fields = [
            "event_name", "tag_id", "event_id", "timestamp", "page_url", "referrer", "user_agent", "session_id",
            "client_id", "click_id", "impression_id", "bid_id", "attribution_type", "consent", "params",
        ]  # fmt: skip
        # The unique constraint is the database's to check, as everywhere in this comparison: not a query more.
        validators: list[Any] = []
        extra_kwargs = {"tag_id": {"required": False}}

    timestamp = serializers.FloatField(required=False)


class CollectView(APIView):
    authentication_classes = [KeyAuthentication]
    parser_classes = [JSONParser]

    def post(self, request: SentRequest) -> Response:
        serializer = EventSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        sent = serializer.validated_data
        now = datetime.now(UTC)
        timestamp = datetime.fromtimestamp(sent.pop("timestamp"), UTC) if "timestamp" in sent else now
        place = request.enrichment.geo
        agent = user_agent.parse(sent.get("user_agent"))
        tag_id = sent.pop("tag_id", None) or site_tag.tag_for(sent.get("page_url"), None, None)
        with suppress(IntegrityError):  # a duplicate: accepted, and not stored again
            Event.objects.create(
                **sent, id=rows.uuid7(now), tag_id=tag_id, timestamp=timestamp, received_at=now,
                partner_id=request.auth.partner_id, api_key=request.auth, channel="server",
                is_test=request.auth.is_test, ip_address=request.enrichment.ip_address,
                geo_country=place.country, geo_region=place.region, geo_city=place.city,
                geo_lat=place.lat, geo_lon=place.lon,
                ua_browser=agent.browser, ua_browser_version=agent.browser_version,
                ua_os=agent.os, ua_os_version=agent.os_version, ua_device=agent.device,
                ua_device_brand=agent.device_brand, ua_device_model=agent.device_model, ua_is_bot=agent.is_bot,
            )  # fmt: skip
        return Response(status=204)


urlpatterns = [path("api/collect", CollectView.as_view())]
