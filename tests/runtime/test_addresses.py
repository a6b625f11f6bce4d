"""The sender's address: believed hops, spoofed ones, and garbage."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from runtime import addresses

TRUSTED = addresses.networks(["10.0.0.0/8", "fd00::/8", "127.0.0.1"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7:4711 ", "203.0.113.7"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("2001:db8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("203.0.113", None),
        ("203.0.113.7.8", None),
        ("0300.0.0.1", None),
        ("2001:db8::1::2", None),
        ("x" * 10_000, None),
        ("1.2.3.4\x00", None),
        ("\uff11.2.3.4", None),
    ],
)
def test_address_is_normalised_or_unknown(sent: str, kept: str | None) -> None:
    assert addresses.normalise(sent) == kept


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("203.0.113.7", None, "203.0.113.7"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.2.3.4", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.9, 10.2.3.4", "10.0.0.9"),
        ("10.0.0.1", "198.51.100.1:1234,[fd00::1]:9", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, garbage", None),
        ("10.0.0.1", "garbage, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1,", "198.51.100.1"),
        ("10.0.0.1", ",198.51.100.1, , 10.2.3.4,\t,", "198.51.100.1"),
        ("10.0.0.1", ",10.0.0.9,,10.2.3.4", "10.0.0.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", " ,", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, -", None),
        ("", "198.51.100.1", None),
        ("10.0.0.1", ", ".join(["1.1.1.1"] * 5_000), "1.1.1.1"),
    ],
)
def test_right_most_untrusted_hop_is_the_sender(peer: str, forwarded: str | None, address: str | None) -> None:
    assert addresses.resolve(peer, forwarded, TRUSTED) == address


def test_nothing_is_trusted_by_default() -> None:
    assert addresses.resolve("127.0.0.1", "198.51.100.1", ()) == "127.0.0.1"


def test_network_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        addresses.networks(["10.0.0.0/8", "10.0.0.0/99"])


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [([], "203.0.113.7"), (["203.0.113.0/24"], "198.51.100.1"), (["203.0.113.0/24", "198.51.100.1"], "192.0.2.9")],
)
def test_request_has_the_address_that_trusted_proxies_report(
    rf: RequestFactory, settings: Settings, trusted: list[str], expected: str
) -> None:
    settings.TRUSTED_PROXIES = trusted
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(addresses.of_request(request))
        return HttpResponse()

    request = rf.get("/", REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="192.0.2.9, 198.51.100.1")
    addresses.ClientAddressMiddleware(view)(request)
    assert seen == [expected]
