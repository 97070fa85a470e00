"""Our calls to a clinic's sign-in service: to checked addresses, without redirects, with a limit for answers.

The operator named the service, so it may be in a private network. The service's description names further addresses,
which are checked before each call, too.
"""

from contextlib import ExitStack
from typing import Any, Final

import requests
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from companion.service.addresses import Address, NoWay, Reach, connected, reach
from companion.service.timeouts import cut_off_after

_ALTOGETHER: Final = 10.0
_MOST_READ: Final = 1024 * 1024
UNREADABLE: Final = (AttributeError, KeyError, RecursionError, TypeError, ValueError)
"""The errors of reading an answer that breaks the protocol."""
UNREACHABLE: Final = (NoWay, requests.RequestException)
"""The errors of a call without a complete answer. Some errors of requests are also in UNREADABLE."""


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Allauth's adapter that calls by our rules."""

    def get_requests_session(self) -> "Calls":
        return Calls()


class Calls(requests.Session):
    """A session of requests by our rules. Its calls raise UNREACHABLE."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Way())

    def request(self, *args: Any, **more: Any) -> requests.Response:  # as requests itself types it
        more |= {"timeout": settings.SOCIALACCOUNT_REQUESTS_TIMEOUT, "allow_redirects": False, "stream": True}
        answer = super().request(*args, **more)
        if answer.is_redirect:
            raise requests.TooManyRedirects("the answer leads elsewhere")
        try:
            body = answer.raw.read(_MOST_READ + 1, decode_content=True)
        except HTTPError as error:
            # requests would raise its own error, but it doesn't read the body here.
            raise requests.ConnectionError("the answer broke off") from error
        if len(body) > _MOST_READ:
            raise requests.exceptions.ContentDecodingError("the answer is too long")
        # requests would read the whole body at the first use. With this it uses what was read up to the limit.
        answer._content = body
        return answer


class _Judged(HTTPConnection):
    """A connection without TLS, only to this machine. It is cut off after a while."""

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
        """Allow only this machine, since nothing is encrypted."""
        return reach(ip) is Reach.THIS_MACHINE


class _JudgedTls(_Judged, HTTPSConnection):
    """A connection with TLS, also to addresses outside this machine."""

    @staticmethod
    def _may_be_reached(ip: Address) -> bool:
        return reach(ip) is not Reach.NOWHERE


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Judged


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _JudgedTls


class _Way(HTTPAdapter):
    """An adapter that connects by these classes. With HTTPS_PROXY the proxy decides what may be reached."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
