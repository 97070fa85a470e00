"""The rules by which a connection is safe: it stays on this machine, or the certificate of the server is checked."""

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_YES: Final = ("1", "true", "yes", "on")


def is_here(host: str) -> bool:
    """Return whether each of these hosts (with commas between them) is this machine, or a socket in its file system."""
    return all(_is_here(name.strip().strip("[]")) for name in host.split(","))


def postgresql(host: str, options: Mapping[str, object], environment: Mapping[str, str]) -> bool:
    """Return whether libpq's connection is safe: `sslmode` is an option, or a variable of the environment."""
    return is_here(host) or (options.get("sslmode") or environment.get("PGSSLMODE")) == "verify-full"


def mysql(host: str, options: Mapping[str, object]) -> bool:
    """Return whether a connection to MariaDB or MySQL is safe. With `ssl_ca` the drivers check the certificate."""
    by = options.get("ssl_ca") or options.get("ssl_capath")
    return is_here(host) or bool(by and str(options.get("ssl_check_hostname", "true")).lower() in _YES)


def address(url: str) -> bool:
    """Return whether calls to the address are safe."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_here(parts.hostname or "")


def _is_here(host: str) -> bool:
    if not host or host == "localhost" or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
