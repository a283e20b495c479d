"""Threats T4 and T5: no source can make us contact the inside of the network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.adapters.feeds import addresses
from swarm.adapters.feeds.errors import (
    BlockedAddress,
    BlockedHost,
    BlockedPort,
    BlockedScheme,
    BlockedUrl,
    EgressRefused,
)
from swarm.adapters.feeds.guard import Egress

PUBLIC = Egress(hosts=frozenset({"example.org", "*.example.net", "xn--mnchen-3ya.de"}))

HOSTILE = [
    ("https://127.0.0.1/", BlockedAddress),
    ("https://127.1/", BlockedAddress),
    ("https://2130706433/", BlockedAddress),
    ("https://0x7f000001/", BlockedAddress),
    ("https://0x7f.0.0.1/", BlockedAddress),
    ("https://0177.0.0.1/", BlockedUrl),
    ("https://0/", BlockedAddress),
    ("https://10.0.0.1/", BlockedAddress),
    ("https://172.16.0.1/", BlockedAddress),
    ("https://192.168.1.1/", BlockedAddress),
    ("https://169.254.169.254/latest/meta-data/", BlockedAddress),
    ("https://168.63.129.16/", BlockedAddress),
    ("https://100.64.0.1/", BlockedAddress),
    ("https://100.100.100.200/", BlockedAddress),
    ("https://192.0.0.8/", BlockedAddress),
    ("https://192.88.99.1/", BlockedAddress),
    ("https://198.18.0.1/", BlockedAddress),
    ("https://224.0.0.1/", BlockedAddress),
    ("https://255.255.255.255/", BlockedAddress),
    ("https://[::]/", BlockedAddress),
    ("https://[::1]/", BlockedAddress),
    ("https://[::ffff:127.0.0.1]/", BlockedAddress),
    ("https://[::ffff:a9fe:a9fe]/", BlockedAddress),
    ("https://[::127.0.0.1]/", BlockedAddress),
    ("https://[64:ff9b::7f00:1]/", BlockedAddress),
    ("https://[64:ff9b:1::1]/", BlockedAddress),
    ("https://[2002:7f00:1::]/", BlockedAddress),
    ("https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", BlockedAddress),
    ("https://[fe80::1]/", BlockedAddress),
    ("https://[fe80::1%25eth0]/", BlockedAddress),
    ("https://[fec0::1]/", BlockedAddress),
    ("https://[fc00::1]/", BlockedAddress),
    ("https://[fd00:ec2::254]/", BlockedAddress),
    ("https://[ff02::1]/", BlockedAddress),
    ("https://[3fff::1]/", BlockedAddress),
    ("https://[4000::1]/", BlockedAddress),
    ("http://example.org/", BlockedScheme),
    ("ftp://example.org/", BlockedScheme),
    ("file:///etc/passwd", BlockedScheme),
    ("gopher://example.org/", BlockedScheme),
    ("javascript:alert(1)", BlockedScheme),
    ("data:text/plain,x", BlockedScheme),
    ("//example.org/", BlockedScheme),
    ("example.org", BlockedScheme),
    ("https://example.org:22/", BlockedPort),
    ("https://example.org:0/", BlockedPort),
    ("https://example.org:6379/", BlockedPort),
    ("https://user:secret@example.org/", BlockedUrl),
    ("https://example.org@evil.test/", BlockedUrl),
    ("https://example.org\\@evil.test/", BlockedUrl),
    ("https://exa\tmple.org/", BlockedUrl),
    ("https://example.org/\r\nHost: evil.test", BlockedUrl),
    ("https:///nothing", BlockedUrl),
    ("https://[::1/", BlockedUrl),
    ("https://example.org:99999999/", BlockedPort),
    ("https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", BlockedUrl),
    ("https://xn--/", BlockedUrl),
    ("https://example.org/" + "a" * 5_000, BlockedUrl),
    ("https://localhost/", BlockedHost),
    ("https://evil.test/", BlockedHost),
    ("https://example.org.evil.test/", BlockedHost),
    ("https://notexample.org/", BlockedHost),
    ("https://example.net/", BlockedHost),
    ("https://1.2.3.4.5/", BlockedHost),
    ("https://8.8.8.8/", BlockedHost),
    ("https://a..b/", BlockedHost),
]


@pytest.mark.req("LOOP-2")
@pytest.mark.parametrize(("url", "refusal"), HOSTILE, ids=[url[:60] for url, _ in HOSTILE])
def test_a_hostile_address_is_refused_by_name(url, refusal):
    with pytest.raises(EgressRefused) as caught:
        PUBLIC.check_url(url)
    assert type(caught.value) is refusal


@pytest.mark.parametrize(
    ("url", "as_fetched"),
    [
        ("https://example.org/feed?a=1#top", "https://example.org/feed?a=1"),
        ("HTTPS://EXAMPLE.ORG/", "https://example.org/"),
        ("https://example.org./", "https://example.org/"),
        ("https://deep.below.example.net/", "https://deep.below.example.net/"),
        ("https://example.org:443/", "https://example.org/"),
        ("https://münchen.de/", "https://xn--mnchen-3ya.de/"),
    ],
)
def test_an_allowed_address_is_fetched_as_written(url, as_fetched):
    assert str(PUBLIC.check_url(url)) == as_fetched


def test_plain_http_and_other_ports_open_only_by_setting():
    opened = Egress(hosts=frozenset({"example.org"}), http=True, ports=frozenset({8443}))
    assert opened.check_url("http://example.org/")
    assert opened.check_url("https://example.org:8443/")
    with pytest.raises(BlockedPort):
        opened.check_url("https://example.org:8444/")


class TestInside:
    """Own services are opened one by one, as host and port, and never the metadata services."""

    egress = Egress(
        hosts=frozenset({"example.org"}),
        internal=frozenset({("127.0.0.1", 9093), ("alerts.internal", 9093)}),
    )

    def test_exactly_that_host_and_port(self):
        assert self.egress.check_url("http://127.0.0.1:9093/api")
        for url in ("http://127.0.0.1:9094/", "https://127.0.0.1/"):
            with pytest.raises(EgressRefused):
                self.egress.check_url(url)

    @pytest.mark.parametrize("answer", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "fd12::1"])
    def test_may_resolve_to_the_inside(self, answer):
        assert self.egress.check_answers("alerts.internal", 9093, [answer]) == [answer]

    @pytest.mark.parametrize(
        "answer", ["169.254.169.254", "fe80::1", "100.100.100.200", "fd00:ec2::254", "0.0.0.0"]
    )
    def test_may_never_resolve_to_what_hands_out_credentials(self, answer):
        with pytest.raises(BlockedAddress):
            self.egress.check_answers("alerts.internal", 9093, [answer])

    def test_an_entry_for_one_host_opens_nothing_for_another(self):
        with pytest.raises(BlockedAddress):
            self.egress.check_answers("example.org", 9093, ["127.0.0.1"])


@pytest.mark.parametrize("inside", ["127.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1%eth0", "x"])
def test_one_bad_answer_among_good_ones_refuses_the_name(inside):
    """Mixed answers: otherwise the attacker waits for the connection that picks the bad one."""
    with pytest.raises(BlockedAddress):
        PUBLIC.check_answers("example.org", 443, ["93.184.215.14", inside])


def test_a_wrapped_public_address_is_the_address_inside():
    answers = PUBLIC.check_answers("example.org", 443, ["::ffff:93.184.215.14", "93.184.215.14"])
    assert answers == ["93.184.215.14"]


@pytest.mark.parametrize(
    "address",
    [  # what `ipaddress.is_global` of Python 3.11 calls public
        "64:ff9b:1::1",
        "fec0::1",
        "2002::1",
        "ff02::1",
        "192.0.0.8",
        "192.88.99.7",
    ],
)
def test_what_the_library_wrongly_calls_public_is_not(address):
    assert not addresses.is_public(addresses.parse(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111"])
def test_the_public_internet_is_public(address):
    assert addresses.is_public(addresses.parse(address))


@given(st.text(max_size=200) | st.from_regex(r"https?://[^ ]{0,60}", fullmatch=True))
def test_any_text_is_an_address_or_a_refusal(text):
    try:
        url = PUBLIC.check_url(text)
    except EgressRefused:
        return
    assert url.host == "example.org" or url.host.endswith((".example.net", "münchen.de"))


@given(st.ip_addresses())
def test_no_address_is_both_public_and_internal(address):
    parsed = addresses.parse(str(address))
    assert not (addresses.is_public(parsed) and addresses.is_internal(parsed))
