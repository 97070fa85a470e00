"""Our own calls to a clinic's sign-in service: judged addresses, no redirects, bounded answers.

The operator named the service, so it may stand in a private network. The service names further addresses itself; no
call goes to one where no server of a clinic may lie.
"""

from contextlib import ExitStack
from typing import Any, Final

import requests
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from companion.service.addresses import Address, Reach, connected, reach
from companion.service.timeouts import cut_off_after

_ALTOGETHER: Final = 10.0
_MOST_READ: Final = 1024 * 1024


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Allauth's adapter that calls by our rules."""

    def get_requests_session(self) -> "Calls":
        return Calls()


class Calls(requests.Session):
    """A session for a single call. Raises addresses.NoWay beside the errors of requests."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Way())

    def request(self, *args: Any, **more: Any) -> requests.Response:  # as requests itself types it
        more |= {"timeout": settings.SOCIALACCOUNT_REQUESTS_TIMEOUT, "allow_redirects": False, "stream": True}
        answer = super().request(*args, **more)
        if answer.is_redirect:
            raise requests.TooManyRedirects("the answer leads elsewhere")
        body = answer.raw.read(_MOST_READ + 1, decode_content=True)
        if len(body) > _MOST_READ:
            raise requests.exceptions.ContentDecodingError("the answer is too long")
        # What requests itself would have read, without a limit.
        answer._content = body
        return answer


class _Judged(HTTPConnection):
    """A connection to an address that was judged, which is cut off in time."""

    def _new_conn(self) -> Any:
        own = connected(self._dns_host, self.port or self.default_port, self._may_be_reached, seconds=_ALTOGETHER)
        self._in_time = ExitStack()
        self._in_time.enter_context(cut_off_after(_ALTOGETHER, own.fileno()))
        return own

    def close(self) -> None:
        if in_time := getattr(self, "_in_time", None):
            in_time.close()
        super().close()

    @staticmethod
    def _may_be_reached(ip: Address) -> bool:
        """Let a way without encryption lead to this machine alone."""
        return reach(ip) is Reach.THIS_MACHINE


class _JudgedTls(_Judged, HTTPSConnection):
    """The same with TLS."""

    @staticmethod
    def _may_be_reached(ip: Address) -> bool:
        return reach(ip) is not Reach.NOWHERE


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Judged


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _JudgedTls


class _Way(HTTPAdapter):
    """The judged way, for requests. A proxy of HTTPS_PROXY judges in its place."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
