"""All addresses of the product, read from the URL configuration, so that a new address can't be forgotten."""

from collections.abc import Iterable, Iterator

from django.urls import URLPattern, URLResolver


def routes(patterns: Iterable[URLPattern | URLResolver], above: str = "/") -> Iterator[str]:
    """Yield each address, with its parameters in angle brackets."""
    for pattern in patterns:
        route = above + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route
