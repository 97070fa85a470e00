"""Keep addresses that a clinic's admin types within the public internet, out of the server's own network.

A name is looked up here, each address is judged, and the connection goes to the judged address: a second look-up of
the name might give another address.
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_MOST_ADDRESSES: Final = 3
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class NoWay(Exception):
    """The reason why a connection is not allowed, in words for people."""


def connected(host: str, port: int, may_be_reached: Callable[[Address], bool], *, seconds: float) -> socket.socket:
    """Connect to an address after judging it. Raises NoWay, and OSError if nothing answers."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NoWay("its name is not known") from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))[:_MOST_ADDRESSES]
    if not all(may_be_reached(ipaddress.ip_address(address)) for address in addresses):
        raise NoWay("its address lies in a network that may not be reached")
    failure = OSError()
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=seconds)
        except OSError as error:
            failure = error
    raise failure


def on_the_internet(ip: Address) -> bool:
    """Whether the address belongs to the public internet, even if it is wrapped in an IPv6 address."""
    if isinstance(ip, ipaddress.IPv6Address):
        # An IPv6 address that contains an IPv4 address leads to the latter.
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or [None])[0]
        if inner is not None:
            return on_the_internet(inner)
        if ip in _NAT64:
            return on_the_internet(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
