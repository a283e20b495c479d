"""What a source may contact, decided from the address as written and from what it resolves to."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

import httpx

from swarm.adapters.feeds import addresses
from swarm.adapters.feeds.errors import (
    BlockedAddress,
    BlockedHost,
    BlockedPort,
    BlockedScheme,
    BlockedUrl,
)

PORTS = {"http": 80, "https": 443}
MAX_URL = 4_096
MAX_HOST = 253

_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """The rules of one source.

    hosts:    host names it may contact, lower case; `*.example.org` allows what is below.
    internal: (host, port) pairs that may be loopback or private, over http as well.
    ports:    further ports beside 80 and 443.
    """

    hosts: frozenset[str]
    internal: frozenset[tuple[str, int]] = frozenset()
    ports: frozenset[int] = frozenset()
    http: bool = False

    def check_url(self, text: str) -> httpx.URL:
        """The address, if it may be fetched as written. What it resolves to is judged later.

        Raises BlockedUrl, BlockedScheme, BlockedHost, BlockedPort or BlockedAddress.
        """
        url = _parsed(text)
        host = url.raw_host.decode("ascii").lower().rstrip(".")
        port = PORTS[url.scheme] if url.port is None else url.port
        inside = (host, port) in self.internal
        if (literal := _literal(host)) is not None:
            self.check_address(host, port, literal)
        if url.scheme == "http" and not (self.http or inside):
            raise BlockedScheme(f"{_shown(url)} is not encrypted; https is wanted")
        if not inside and not self._knows(host):
            raise BlockedHost(f"{host!r} is not among the hosts of this source")
        if not inside and port not in {80, 443, *self.ports}:
            raise BlockedPort(f"{_shown(url)} uses port {port}; 80 and 443 are open")
        return url.copy_with(host=host, fragment=None)

    def check_answers(self, host: str, port: int, answers: Sequence[str]) -> list[str]:
        """All addresses that a name resolved to, if *every one* may be contacted.

        One bad answer refuses the name: otherwise whoever answers for it could mix in an inside
        address and wait for the connection that picks it. Raises BlockedAddress.
        """
        checked = []
        for answer in answers:
            try:
                address = addresses.parse(answer)
            except ValueError as error:
                raise BlockedAddress(f"{host!r} resolves to {answer!r}: {error}") from None
            self.check_address(host, port, address)
            checked.append(str(address))
        return list(dict.fromkeys(checked))

    def check_address(self, host: str, port: int, address: addresses.Address) -> None:
        """Raise BlockedAddress unless `host` at `port` may be this address."""
        if (host, port) in self.internal:
            allowed = addresses.is_internal(address) or addresses.is_public(address)
        else:
            allowed = addresses.is_public(address)
        if not allowed:
            raise BlockedAddress(f"{host!r} is {address}, which is not a public address")

    def _knows(self, host: str) -> bool:
        above = (f"*.{host[at + 1 :]}" for at, char in enumerate(host) if char == ".")
        return host in self.hosts or any(name in self.hosts for name in above)


def _parsed(text: str) -> httpx.URL:
    if len(text) > MAX_URL:
        raise BlockedUrl(f"an address of {len(text)} characters is too long; {MAX_URL} may be")
    if _UNSAFE.search(text):
        raise BlockedUrl(f"{text[:80]!r} holds spaces, backslashes or control characters")
    try:
        url = httpx.URL(text)
        host = url.host  # decodes; so a label that only looks like IDNA is refused here
    except (httpx.InvalidURL, ValueError) as error:
        raise BlockedUrl(f"{text[:80]!r} is no address: {error}") from None
    if url.scheme not in PORTS:
        raise BlockedScheme(f"{text[:80]!r} has the scheme {url.scheme!r}; https is wanted")
    if url.userinfo:
        raise BlockedUrl(f"the address of {host!r} carries a user name or password")
    if not host:
        raise BlockedUrl(f"{text[:80]!r} names no host")
    return url


def _literal(host: str) -> addresses.Address | None:
    """The address that a host name already is; None for a real name.

    `2130706433`, `0x7f.1` and `0177.0.0.1` are addresses to the C library, so they are here.
    """
    if ":" in host:
        try:
            return addresses.parse(host)
        except ValueError as error:
            raise BlockedAddress(f"{host!r} is no address to contact: {error}") from None
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return IPv4Address(socket.inet_aton(host))
        except OSError:
            raise BlockedHost(f"{host!r} is neither a name nor an address") from None
    if len(host) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise BlockedHost(f"{host[:80]!r} is no host name")
    return None


def _shown(url: httpx.URL) -> str:
    return str(url.copy_with(query=None, fragment=None))[:120]
