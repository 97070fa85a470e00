"""Where a clinic's admin may lead this server by an address typed into a page: the internet, not the server's network.

Names are looked up here, each address is judged, and the one that was judged is connected to: a second look at the
name might give another.
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_MOST_ADDRESSES: Final = 3
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class NoWay(Exception):
    """Why nothing may be connected to, in words for people."""


def connected(host: str, port: int, may_be_reached: Callable[[Address], bool], *, seconds: float) -> socket.socket:
    """Connected to an address that was judged. Raises NoWay, and OSError where nothing answers."""
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
    """Whether it is an address that everybody reaches, whatever it is wrapped in."""
    if isinstance(ip, ipaddress.IPv6Address):
        # What carries an IPv4 address within leads to that one.
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or [None])[0]
        if inner is not None:
            return on_the_internet(inner)
        if ip in _NAT64:
            return on_the_internet(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
