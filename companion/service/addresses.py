"""The check of addresses to which our server connects: an admin of a clinic must not reach into the server's network.

This module resolves the name, checks each address, and connects to a checked address. A library that resolves the name
again might connect to another address.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Final

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MOST_ADDRESSES: Final = 3


class Reach(Enum):
    """The kind of network in which an address lies."""

    INTERNET = auto()
    PRIVATE = auto()
    """A private network, such as the operator's."""
    THIS_MACHINE = auto()
    NOWHERE = auto()
    """Addresses at which no server may be reached: cloud metadata, link-local, multicast, tunnels, reserved ranges."""


def _networks(*named: str) -> tuple[Network, ...]:
    return tuple(map(ipaddress.ip_network, named))


# We keep these lists because Python's `is_global` differs between versions and has been wrong (CVE-2024-4032).
# Sources: IANA's registries of special-purpose IPv4 and IPv6 addresses (of 2026-11-27), and the clouds' manuals.
_METADATA: Final = _networks("168.63.129.16", "100.100.100.200", "fd00:ec2::/32", "fd20:ce::254")
_THIS_MACHINE: Final = _networks("127.0.0.0/8", "::1")
_PRIVATE: Final = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
_NOWHERE: Final = _networks(
    "0.0.0.0/8",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    # Reserved parts of 2000::/3 (all other IPv6 addresses are not on the internet): Teredo, examples, 6to4 and others.
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
)
_INTERNET_V6: Final = ipaddress.IPv6Network("2000::/3")
_IPV4_WITHIN: Final = _networks("::ffff:0:0/96", "64:ff9b::/96")
"""IPv6 addresses that lead to the IPv4 address in their last 32 bits: IPv4-mapped addresses, and those of a NAT64."""
_ISATAP: Final = (0x00005EFE, 0x02005EFE)
"""Bits 64 to 95 of an IPv6 address that a tunnel of the host sends to the IPv4 address behind them."""


class NoWay(Exception):
    """The reason why a connection is not allowed, in words for people."""


def connected(host: str, port: int, may_be_reached: Callable[[Address], bool], *, seconds: float) -> socket.socket:
    """Resolve the name, check its addresses, and connect. Raises NoWay, and OSError if no server answers."""
    try:
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NoWay("its name is not known") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in resolved))[:_MOST_ADDRESSES]
    # An IPv6 address may name an interface of this machine: "fe80::1%eth0".
    if not all(may_be_reached(ipaddress.ip_address(address.partition("%")[0])) for address in addresses):
        raise NoWay("its address lies in a network that may not be reached")
    failure = OSError()
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=seconds)
        except OSError as error:
            failure = error
    raise failure


def reach(ip: Address) -> Reach:
    """Return the kind of network in which the address lies."""
    if isinstance(ip, ipaddress.IPv6Address):
        last = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if _within(ip, _IPV4_WITHIN):
            return reach(last)
        if int(ip) >> 32 & 0xFFFFFFFF in _ISATAP:
            return Reach.NOWHERE
    if _within(ip, _METADATA) or _within(ip, _NOWHERE):
        return Reach.NOWHERE
    if _within(ip, _THIS_MACHINE):
        return Reach.THIS_MACHINE
    if _within(ip, _PRIVATE):
        return Reach.PRIVATE
    return Reach.INTERNET if isinstance(ip, ipaddress.IPv4Address) or ip in _INTERNET_V6 else Reach.NOWHERE


def near_by(ip: Address, *, private_networks: bool) -> bool:
    """Return whether the address may be reached although it is not on the internet.

    `private_networks`: the operator allows private networks. With the Sandbox this machine may be reached.
    """
    kind = reach(ip)
    if kind is Reach.THIS_MACHINE:
        return private_networks or settings.SANDBOX_ON
    return kind is Reach.PRIVATE and private_networks


def _within(ip: Address, networks: Iterable[Network]) -> bool:
    return any(ip in network for network in networks if network.version == ip.version)
