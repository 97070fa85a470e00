"""Parsing of addresses that may hold a password, such that no error quotes them."""

from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit


class Parted(NamedTuple):
    """An address in its parts. Reading the port of `parts` could raise an error that quotes the address."""

    parts: SplitResult
    port: int | None


def parted(url: str, variable: str) -> Parted:
    """Parse an address into its parts and its port. Raises ValueError, which names the variable."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{variable} can't be read. Write special characters of its password as %-escapes.") from None
    return Parted(parts, port)
