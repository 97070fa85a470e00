"""Parsing of addresses that may hold a password, such that no error quotes them."""

from urllib.parse import SplitResult, urlsplit


def parted(url: str, variable: str) -> tuple[SplitResult, int | None]:
    """Parse an address into its parts and its port. Raises ValueError, which names the variable."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{variable} can't be read. Write special characters of its password as %-escapes.") from None
    return parts, port
