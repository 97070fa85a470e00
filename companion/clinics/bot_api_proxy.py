"""The proxy through which this installation reaches the Bot API, judged like every other outgoing address."""

from django.conf import settings

from companion.service.addresses import Address, Reach, reach
from companion.telegram.proxy import Proxy


def proxy() -> Proxy | None:
    """Return the proxy of the settings; None: there is none."""
    url = settings.COMPANION.bot_api_proxy
    return Proxy(url, _may_be_reached) if url else None


def _may_be_reached(ip: Address) -> bool:
    """Let the operator's proxy stand in any network of their own, but nowhere that no server may lie."""
    return reach(ip) is not Reach.NOWHERE
