"""Who stands behind an address: the registrable domain, by the public suffix list."""

from __future__ import annotations

import functools
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

import httpx
from publicsuffixlist import PublicSuffixList

MOST_URL = 2_000


def registrable_domain(host: str) -> str:
    """`example.co.uk` for `www.example.co.uk`; an address or a one-word name is itself.

    Two hosts of one domain are one origin: whoever owns a domain can make any number of hosts.
    """
    plain = host.lower().rstrip(".").strip("[]")
    try:
        return str(ip_address(plain))
    except ValueError:
        return str(_suffixes().privatesuffix(plain) or plain)


def origin_of(url: str) -> str:
    """The registrable domain of an address that was fetched."""
    return registrable_domain(urlsplit(url).hostname or url)


def same_place(one: str, other: str) -> bool:
    """Whether two addresses are one server: the same scheme, host and port."""
    try:
        first, second = httpx.URL(one), httpx.URL(other)
    except (httpx.InvalidURL, ValueError):
        return False
    return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)


def link(base: str, target: str) -> str:
    """An address found in an entry, made absolute; "" when it is nothing to look up.

    Only https and http without a user name: anything else is a trap for whoever clicks on it.
    """
    try:
        whole = urljoin(base, target.strip())
        parts = urlsplit(whole)
        usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    except ValueError:
        return ""
    return whole if usable and len(whole) <= MOST_URL else ""


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
