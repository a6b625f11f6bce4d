"""The answer to an accepted event: what Django's own response would be, without the work."""

from django.http import HttpResponse

from collect.accepted import Accepted

TOLD = {"X-Event-Id": "0197", "X-Event-Outcome": "stored"}


def test_it_is_as_django_would_make_it() -> None:
    ours, theirs = Accepted(TOLD), HttpResponse(status=204, headers=TOLD)
    del theirs["Content-Type"]
    assert vars(ours).keys() | {"cookies", "status_code"} >= vars(theirs).keys()
    assert (ours.status_code, ours.reason_phrase, ours.content) == (204, "No Content", b"")
    assert list(ours.items()) == list(theirs.items())
    assert ours.serialize() == theirs.serialize()


def test_middleware_may_add_headers_to_one_alone() -> None:
    one, other = Accepted(TOLD), Accepted(TOLD)
    one["X-Request-Id"] = "mine"
    assert one["x-request-id"] == "mine"
    assert "X-Request-Id" not in other
    assert "X-Event-Id" in other
    assert not one.cookies
