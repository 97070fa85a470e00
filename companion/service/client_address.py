"""The address from which a request came, with proxies between us and the browser (COMPANION_TRUSTED_PROXIES).

Each proxy adds the address from which it got the request to X-Forwarded-For, on the right. So we read from the right,
and stop at the first address that is no proxy of ours: anybody can have invented the addresses further left.
"""

import ipaddress
import re
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN: Final = "0.0.0.0"  # noqa: S104  (no address is bound)
"""The address of a request if the server doesn't know it, as behind a Unix socket."""
_WITH_PORT: Final = re.compile(r"\[([^]]+)\](?::\d+)?|([0-9.]+):\d+")


def read_networks(listed: str) -> tuple[Network, ...]:
    """Read a list of networks with commas between them. Raises ValueError."""
    networks = tuple(
        _of_ipv4(ipaddress.ip_network(network.strip())) for network in listed.split(",") if network.strip()
    )
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("everybody is no proxy")
    return networks


def _of_ipv4(network: Network) -> Network:
    """Return the IPv4 network for a network of IPv4-mapped addresses (::ffff:192.0.2.0/120), as `_read` does."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


def client_address(peer: str, forwarded: str, proxies: tuple[Network, ...]) -> str:
    """Return the browser's address: the peer's address, or the address that our proxies forwarded."""
    address = _read(peer)
    if address is None:
        return UNKNOWN
    for entry in reversed(forwarded.split(",") if forwarded else []):
        if not is_within(address, proxies):
            break
        further = _read(entry)
        if further is None:
            break
        address = further
    return str(address)


def neighbourhood(address: str) -> str:
    """Return the address or network by which tries are counted: for IPv6 the /64, a household's network."""
    read = _read(address)
    if isinstance(read, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(read), 64), strict=False))
    return address


def is_within(address: Address | str, networks: tuple[Network, ...]) -> bool:
    """Return whether the address lies in one of the networks."""
    read = _read(address) if isinstance(address, str) else address
    return read is not None and any(read in network for network in networks if network.version == read.version)


def _read(written: str) -> Address | None:
    written = written.strip()
    if with_port := _WITH_PORT.fullmatch(written):
        written = with_port[1] or with_port[2]
    try:
        address = ipaddress.ip_address(written.partition("%")[0])
    except ValueError:
        return None
    # A socket for both versions gives an IPv4 peer as an IPv4-mapped IPv6 address.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
