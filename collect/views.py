"""The endpoints that take events. They only call other modules: every rule stands in the module that it belongs to."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar, cast

import msgspec
from django.http import HttpRequest, HttpResponse, JsonResponse
from msgspec import Raw
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.views import APIView

from collect import assembly, batch, openapi, turned_away
from collect.accepted import Accepted
from collect.captures import keeping as captures
from collect.captures.recording import Recording
from collect.enrichment.middleware import EnrichedRequest
from collect.intake import causes, contract, hints, wire
from collect.intake.contract import SentEvent
from collect.intake.source import Source
from collect.intake.wire import Received
from collect.storage import ingest, outcomes
from collect.storage.grouping import builds
from collect.storage.ledger.tally import Endpoint, Tally, receive
from collect.storage.outcomes import DURABLE, Outcome
from collect.storage.rejections import Record
from collect.storage.rows import Arrival, Row
from keys import denials, limits
from keys.models import ApiKey
from runtime import answers
from runtime.refusals import Refusal, Unavailable

logger = logging.getLogger(__name__)


class SenderRequest(EnrichedRequest):
    """A request with an accepted key. It is a type to cast to, and is never instantiated."""

    # Set by `SenderView.dispatch`, as DRF does.
    auth: ApiKey


class SenderView(APIView):
    """A view for senders' backends: POST with a key, and DRF's request cycle without the parts that it does not need.

    It has no content negotiation, parsers, versions or throttles: they would cost more than the event itself
    (docs/decisions/0009). It keeps nothing of a request, so that one view may serve them all.
    """

    http_method_names = ["post"]
    # Under which its requests stand in the ledger.
    endpoint: ClassVar[Endpoint]

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Refuse other methods before looking at the key, and answer every exception as an error of the API."""
        recording = None
        try:
            if request.method != "POST":
                raise MethodNotAllowed(str(request.method))
            sent = cast(SenderRequest, request)
            for authenticator in self._authenticators():
                # Our authenticator only reads what Django's own request has too.
                if (found := authenticator.authenticate(cast(Request, request))) is not None:
                    sent.auth = found[1]
            if sent.auth.capture_left:
                recording = captures.begin(request, sent.auth)
            response = self.post(sent)
        except Exception as error:  # the boundary: no fault of ours may become a 500
            recording = recording or self._noted(request, error)
            response = answers.exception_handler(error, {"request": request, "view": self})
        if recording is not None:
            captures.end(recording, response)
        return response

    @classmethod
    @cache
    def _authenticators(cls) -> Sequence[BaseAuthentication]:
        """Return those of the class. They keep nothing of a request."""
        return [kind() for kind in cls.authentication_classes]

    def _noted(self, request: HttpRequest, error: Exception) -> Recording | None:
        """Count a request that was turned away, and record it if its key is captured."""
        try:
            turned_away.note(request, self.endpoint, error)
            return captures.begin_refused(request, error)
        except Exception:  # within the boundary: what cannot be noted changes no answer
            logger.exception("a request that was turned away could not be noted")
            return None

    def post(self, request: SenderRequest) -> HttpResponse:
        """Answer an authenticated POST. Whatever it raises is answered as an error."""
        raise NotImplementedError

    def source(self, request: SenderRequest) -> Source:
        """Return who sends, from where, and when. The clock is read here, and only once for a request."""
        key, seen, meta = request.auth, request.enrichment, request.META
        return Source(
            partner_id=key.partner_id,
            api_key_id=key.pk,
            is_test=key.is_test,
            received_at=datetime.now(UTC),
            ip_address=seen.ip_address,
            geo=seen.geo,
            origin=meta.get("HTTP_ORIGIN"),
            referer=meta.get("HTTP_REFERER"),
            tags=key.tags,
            meta=meta,
        )

    def spend(self, key: ApiKey, source: Source, tally: Tally, events: int) -> Mapping[str, str]:
        """Take `events` from what the key may send; return the headers that tell what is left, none without a limit.

        Raises `Refusal` (429) if they are more than the key may send now.
        """
        if not key.is_limited:
            return {}
        try:
            return limits.take(key, events)
        except Refusal:
            # They will be sent again, so no copy of them is kept.
            outcomes.add(tally, Outcome.RATE_LIMITED, "", events)
            denials.mark(key, "rate limited", source.ip_address)
            raise


class CollectView(SenderView):
    """`POST /api/collect`: one event, answered 204 only after it is durable."""

    endpoint = Endpoint.COLLECT

    @openapi.collect
    def post(self, request: SenderRequest) -> HttpResponse:
        """Store the event in the body (contract, section 1), or keep a rejection of it and raise the `Refusal`.

        Raises `Unavailable` if nothing could be made durable.
        """
        source, received = self.source(request), wire.receive(request, contract.MAX_BODY_BYTES)
        builds.count(request.auth.pk, source.meta, source.received_at)
        tally = receive(source, self.endpoint, 1, len(received.body))
        left = self.spend(request.auth, source, tally, 1)
        try:
            sent, row = _judge(received, source)
        except Refusal as refusal:
            ingest.reject(tally, [Record.of_refusal(refusal, source, received.body, request.request_id)])
            raise
        arrival = Arrival.of(row, received.body, request.request_id, tally, meta=source.meta)
        (written,) = ingest.submit([arrival])
        if written.outcome not in DURABLE:
            raise contract.poisoned() if written.outcome is Outcome.REJECTED else Unavailable
        told = {"X-Event-Id": written.id, "X-Event-Outcome": written.outcome, **left}
        if found := hints.of(sent):
            hints.count(dict.fromkeys(found, 1), source.partner_id)
            told["X-Event-Hint"] = hints.header(found)
        return Accepted(told)


class BatchView(SenderView):
    """`POST /api/collect/batch`: many events, each judged alone."""

    endpoint = Endpoint.BATCH

    @openapi.batch
    def post(self, request: SenderRequest) -> HttpResponse:
        """Store the events in the body; answer where each refused one stands and why (contract, section 5).

        Raises `Refusal` for a body that is no batch, and `Unavailable` if nothing could be made durable.
        """
        source, request_id = self.source(request), request.request_id
        received = wire.receive(request, batch.MAX_BODY_BYTES, more_types=(batch.NDJSON,))
        builds.count(request.auth.pk, source.meta, source.received_at)
        try:
            if received.fault is not None:
                raise received.fault
            events = batch.split(received.body, request.content_type or "")
        except Refusal as refusal:
            # What cannot be taken apart counts as one event.
            tally = receive(source, self.endpoint, 1, len(received.body))
            ingest.reject(tally, [Record.of_refusal(refusal, source, received.body, request_id)])
            raise
        tally = receive(source, self.endpoint, len(events), len(received.body))
        left = self.spend(request.auth, source, tally, len(events))
        judged = batch.judge(events, source, request_id, tally)
        try:
            results = ingest.submit(judged.arrivals)
            if results and all(result.outcome is Outcome.UNAVAILABLE for result in results):
                raise Unavailable
        except Unavailable:
            # The sender will send all of them again, the refused ones too.
            outcomes.add(tally, Outcome.UNAVAILABLE, "", len(judged.refusals))
            raise
        hints.count({hint: told.events for hint, told in judged.hints.items()}, source.partner_id)
        refusals = [Record.of_refusal(refusal, source, body, request_id) for _, body, refusal in judged.refusals]
        ingest.reject(tally, refusals)
        return JsonResponse(batch.answer(judged, results), headers=left)


class ValidateView(SenderView):
    """`POST /api/collect/validate`: what collect would store, or the refusal that it would give."""

    endpoint = Endpoint.VALIDATE

    @openapi.validate
    def post(self, request: SenderRequest) -> HttpResponse:
        """Return the event as it would be stored, without storing or counting it (contract, section 6).

        Raises the `Refusal` that collect would give.
        """
        sent, row = _judge(wire.receive(request, contract.MAX_BODY_BYTES), self.source(request))
        event = assembly.shown(row, partner=request.auth.partner.name, api_key=request.auth.prefix)
        told = {"valid": True, "event": Raw(event)}
        if found := hints.of(sent):
            told["hints"] = [{"field": hint.sent, "detail": str(hint)} for hint in found]
        return HttpResponse(msgspec.json.encode(told), content_type="application/json")


def _judge(received: Received, source: Source) -> tuple[SentEvent, Row]:
    if received.fault is not None:
        raise received.fault
    try:
        sent = contract.decode(received.body)
    except Refusal as refusal:
        raise causes.of_event(refusal, received.body) from None
    return sent, assembly.build(sent, source)
