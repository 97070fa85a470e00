"""A tunnel through an HTTP proxy (CONNECT, RFC 9110 section 9.3.6) to a Bot API server.

Each failure here happens before a request leaves. With https the proxy sees only the server's name.
"""

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, urlsplit

import aiohappyeyeballs

from companion.telegram.connection import NoAnswer
from companion.telegram.discreet import Discreet

_HEAD_BYTES: Final = 16_384
PORT: Final = 3128
"""The port of a proxy whose address names none."""
Judge = Callable[[ipaddress.IPv4Address | ipaddress.IPv6Address], bool]
"""A rule for the addresses that may be reached."""


def check(url: str) -> None:
    """Raise ValueError, which never quotes the address, if it isn't an HTTP proxy's."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "http" and parts.hostname and parts.port != 0 and not parts.query
    except ValueError:
        fine = False
    if not fine or parts.path not in ("", "/") or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("no HTTP proxy's address")


class Proxy(Discreet, frozen=True):
    """A proxy, and the rule for its addresses."""

    hidden = frozenset({"url"})

    url: str
    """http://[user:password@]host[:port]"""
    may_be_reached: Judge

    async def open(self, host: str, port: int) -> socket.socket:
        """Connect to the host through the proxy. Raises NoAnswer and OSError."""
        parts = urlsplit(self.url)
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(parts.hostname, parts.port or PORT, type=socket.SOCK_STREAM)
        found = {str(info[4][0]).partition("%")[0] for info in addresses}
        if not all(self.may_be_reached(ipaddress.ip_address(address)) for address in found):
            raise NoAnswer("the proxy's address may not be reached", left=False)
        own = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=0.25)
        try:
            await loop.sock_sendall(own, self._request(host, port))
            _check(await _head(own))
        except BaseException:
            own.close()
            raise
        return own

    def _request(self, host: str, port: int) -> bytes:
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
        parts = urlsplit(self.url)
        if parts.username is not None:
            account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(account.encode()).decode()}")
        return "\r\n".join([*lines, "", ""]).encode()


async def _head(own: socket.socket) -> bytes:
    """Read the head of the proxy's answer. A byte at a time, since what follows belongs to the server."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        data = await asyncio.get_running_loop().sock_recv(own, 1)
        if not data or len(head) > _HEAD_BYTES:
            raise NoAnswer("the proxy gave no answer that can be read", left=False)
        head += data
    return bytes(head)


def _check(head: bytes) -> None:
    version, _, rest = head.partition(b" ")
    code = rest[:3].decode("ascii", "replace")
    if not version.startswith(b"HTTP/1.") or not code.isdigit():
        raise NoAnswer("the proxy gave no answer that can be read", left=False)
    if code == "407":
        raise NoAnswer("the proxy wants a name and a password", left=False)
    if not code.startswith("2"):
        raise NoAnswer(f"the proxy answered {code}", left=False)
