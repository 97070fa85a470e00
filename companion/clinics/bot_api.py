"""The way of this installation to the Bot API: its address, and the proxy, judged like every other outgoing address."""

from django.conf import settings

from companion.service.addresses import Address, Reach, reach
from companion.telegram.client import Client
from companion.telegram.proxy import Proxy


def bot_api_client(api_url: str = "", *, concurrency: int = 100) -> Client:
    """Make a client for the Bot API, by the proxy of the settings; "" is the address of the settings."""
    return Client(api_url or settings.COMPANION.bot_api_url, concurrency, proxy=proxy())


def proxy() -> Proxy | None:
    """Return the proxy that the settings name, or None."""
    url = settings.COMPANION.bot_api_proxy
    return Proxy(url, _may_be_reached) if url else None


def _may_be_reached(ip: Address) -> bool:
    """Allow the operator's proxy at any public or private address, but not at a reserved address."""
    return reach(ip) is not Reach.NOWHERE
