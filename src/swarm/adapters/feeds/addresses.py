"""Which addresses may be contacted: public unicast, minus what the registries reserve.

`ipaddress.is_global` alone is not enough: depending on the Python version it says True for
NAT64, 6to4, site-local, multicast and parts of the IETF protocol block.
Source: IANA special-purpose address registries for IPv4 and IPv6, read 2026-03.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address

_DENIED = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; some clouds keep their metadata here
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host agent on a public address
        "169.254.0.0/16",  # link-local, most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnelling
        "192.88.99.0/24",  # former 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # IETF protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# Of IPv6 only this block is public unicast at all: NAT64, site-local, ULA, link-local, multicast,
# discard and the unassigned rest are outside of it.
_PUBLIC_V6 = IPv6Network("2000::/3")
# What an explicit allow entry may open. Link-local is missing on purpose: there are the metadata
# services that hand out credentials.
_INTERNAL = tuple(
    ip_network(text)
    for text in (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
    )
)
_NEVER = tuple(ip_network(text) for text in ("100.100.100.200/32", "fd00:ec2::254/128"))


def parse(text: str) -> Address:
    """The address of a resolver's answer, an IPv4 address out of its IPv6 wrapping.

    Raises ValueError for what is no address, and for one with a zone (`fe80::1%eth0`).
    """
    if "%" in text:
        raise ValueError("an address with a zone is local to one link")
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def is_public(address: Address) -> bool:
    """True for a public unicast address that no registry reserves for anything else."""
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return False
    return address.is_global and not any(_holds(network, address) for network in _DENIED)


def is_internal(address: Address) -> bool:
    """True for loopback and private addresses: what an explicit allow entry may open."""
    if any(_holds(network, address) for network in _NEVER):
        return False
    return any(_holds(network, address) for network in _INTERNAL)


def _holds(network: IPv4Network | IPv6Network, address: Address) -> bool:
    return network.version == address.version and address in network
