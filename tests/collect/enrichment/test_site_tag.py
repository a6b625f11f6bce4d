"""Hosts as the WHATWG URL standard reads them."""

import ada_url
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collect.enrichment import site_tag


@pytest.mark.parametrize(
    ("url", "tag"),
    [
        ("https://www.Shop.Example/path?q#f", "site:www.shop.example"),
        ("https://user:secret@shop.example:8443/", "site:shop.example"),
        ("HTTP://SHOP.EXAMPLE.", "site:shop.example."),
        ("https:\\\\shop.example\\x", "site:shop.example"),
        ("  https://shop.example  ", "site:shop.example"),
        ("https:///shop.example/x", "site:shop.example"),
        ("https://\t/shop.example/x", "site:shop.example"),
        ("https://sh\top.exa\nmple/", "site:shop.example"),
        ("https://bücher.example", "site:xn--bcher-kva.example"),
        ("https://BÜCHER.example", "site:xn--bcher-kva.example"),
        ("https://shop。example/", "site:shop.example"),
        ("https://[2001:DB8::0:1]:80/", "site:[2001:db8::1]"),
        ("http://0x7f.1/", "site:127.0.0.1"),
        ("http://2130706433/", "site:127.0.0.1"),
        ("https://sh%6Fp.example/", "site:shop.example"),
        ("https://shop.example/%zz%", "site:shop.example"),
        ("app://Main.Page/x", "site:main.page"),
        ("javascript:alert(1)", "site:unknown"),
        ("data:text/html,x", "site:unknown"),
        ("about:blank", "site:unknown"),
        ("file:///etc/passwd", "site:unknown"),
        ("/relative", "site:unknown"),
        ("shop.example", "site:unknown"),
        ("https://", "site:unknown"),
        ("https://sh op.example/", "site:unknown"),
        ("https://%00.example/", "site:unknown"),
        ("https://[::1", "site:unknown"),
        ("http://999.999.999.999/", "site:unknown"),
        ("\ufffd", "site:unknown"),
        ("https://\ud800.example", "site:unknown"),
        ("https://" + "a" * 300 + ".example", "site:unknown"),
        ("https://shop.example/" + "a" * 1_000_000, "site:unknown"),
    ],
)
def test_host_of_a_page(url: str, tag: str) -> None:
    assert site_tag.tag_for(url, None, None) == tag


def test_origin_then_referer_take_the_place_of_a_page_without_a_host() -> None:
    assert site_tag.tag_for("nonsense", "https://o.example", "https://r.example") == "site:o.example"
    assert site_tag.tag_for(None, "null", "https://r.example/x") == "site:r.example"
    assert site_tag.tag_for(None, None, None) == "site:unknown"


@given(st.text(st.sampled_from("https:/\\?#@[]:%. \t\nab1ü\u3002\x00-_"), max_size=20))
@example("@")
@example("a@b/@c")
@example("[::1]\\x")
def test_host_of_a_page_is_that_of_its_whole_address(rest: str) -> None:
    url = f"https://{rest}"
    try:
        host = ada_url.URL(url).hostname.lower()
    except ValueError:
        host = ""
    assert site_tag.tag_for(url, None, None) == (f"site:{host}" if 0 < len(host) <= 253 else site_tag.UNKNOWN)
