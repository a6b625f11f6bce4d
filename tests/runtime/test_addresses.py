"""The sender's address: believed hops, spoofed ones, and garbage."""

import pytest

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
def test_address_is_normalised_or_unknown(sent, kept):
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
        ("10.0.0.1", "", None),
        ("", "198.51.100.1", None),
        ("10.0.0.1", ", ".join(["1.1.1.1"] * 5_000), "1.1.1.1"),
    ],
)
def test_right_most_untrusted_hop_is_the_sender(peer, forwarded, address):
    assert addresses.resolve(peer, forwarded, TRUSTED) == address


def test_nothing_is_trusted_by_default():
    assert addresses.resolve("127.0.0.1", "198.51.100.1", ()) == "127.0.0.1"


def test_network_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        addresses.networks(["10.0.0.0/8", "10.0.0.0/99"])


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [([], "203.0.113.7"), (["203.0.113.0/24"], "198.51.100.1"), (["203.0.113.0/24", "198.51.100.1"], "192.0.2.9")],
)
def test_request_has_the_address_that_trusted_proxies_report(rf, settings, trusted, expected):
    settings.TRUSTED_PROXIES = trusted
    request = rf.get("/", REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="192.0.2.9, 198.51.100.1")
    assert addresses.ClientAddressMiddleware(addresses.of_request)(request) == expected
