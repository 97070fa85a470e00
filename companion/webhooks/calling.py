"""Call a clinic's own program, anywhere on the public internet, with a POST or a plain GET.

A clinic's admin types the address, so it must not lead into the operator's private network (service/addresses.py).
Redirects are not followed.
"""

import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from companion.clinics.refusals import Problem, Refused
from companion.service import drill
from companion.service.addresses import Address, NoWay, Reach, connected, near_by, reach
from companion.service.timeouts import cut_off_after

_SECONDS: Final = 5.0
_ALTOGETHER: Final = 10.0
_LONGEST: Final = 500
_MOST_READ: Final = 65_536
"""The number of bytes of an answer that are read. After a longer answer, the connection is not used again."""
_BROKEN: Final = (OSError, http.client.HTTPException, ValueError, OverflowError)
"""The errors of Python's reader of answers. It raises the last two if a chunk's length is negative or far too large."""
_PORTS: Final = {"https": 443, "http": 80}


def check(url: str) -> None:
    """Raise Refused if the text of this address shows that it can't be the address of a webhook."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if len(url) > _LONGEST or parts.scheme not in ("https", "http") or not parts.hostname or port == 0 or " " in url:
        raise Refused(Problem("url", "Write an address like https://hooks.clinic.example/companion."))
    if not url.isascii() or not url.isprintable():
        raise Refused(Problem("url", "Write special characters as %-escapes, and the name in its xn-- form."))
    if parts.username is not None or parts.fragment:
        raise Refused(Problem("url", "Leave out the user before an @, and everything after a #."))
    if parts.scheme == "http" and not _without_https():
        raise Refused(Problem("url", "Begin the address with https://, so that nobody on the way can read the calls."))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a call: its status code; or None, and the reason in our words why there is no answer."""

    code: int | None
    why: str = ""
    retry_after: str = ""
    """The header Retry-After, by which the receiver asks for a pause: a number of seconds, or a date."""

    @property
    def error(self) -> str:
        """Return "" if the call was accepted, otherwise the reason why not."""
        accepted = self.code is not None and 200 <= self.code < 300
        return "" if accepted else self.why or f"it answered {self.code}"


class Receiver:
    """The program at one address. The connection to it is kept for further calls."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: str, headers: Mapping[str, str]) -> Answer:
        """Send the body. Takes seconds if nobody answers."""
        return self._call("POST", body.encode(), {"Content-Type": "application/json", **headers})

    def get(self) -> Answer:
        """Call the address with GET. Takes seconds if nobody answers."""
        return self._call("GET", None, {})

    def close(self) -> None:
        """End the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _call(self, method: str, body: bytes | None, more: Mapping[str, str]) -> Answer:
        if drill.is_on():
            return Answer(None, "this is a drill, which calls nobody")
        headers = {"Host": self._parts.netloc, "User-Agent": "AI-Companion-Scheduler", **more}
        kept = self._connection is not None
        try:
            try:
                return self._ask(method, body, headers)
            except (ConnectionError, http.client.RemoteDisconnected):
                # A server may end a kept connection at any time. Call again: if the server got the first call after
                # all, it sees the same id twice.
                self.close()
                if not kept:
                    raise
                return self._ask(method, body, headers)
        except NoWay as refusal:
            return Answer(None, str(refusal))
        except _BROKEN as error:
            self.close()
            return Answer(None, _why(error))

    def _ask(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        parts = self._parts
        connection = self._connection or self._connected()
        self._connection = connection
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        with cut_off_after(_ALTOGETHER, connection.sock.fileno()):
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            is_read = _is_read(response)
        if response.will_close or not is_read:
            self.close()
        return Answer(response.status, retry_after=response.getheader("Retry-After", ""))

    def _connected(self) -> http.client.HTTPConnection:
        parts = self._parts
        secure, host = parts.scheme == "https", parts.hostname or ""
        socket = connected(host, parts.port or _PORTS[parts.scheme], _judge(secure=secure), seconds=_SECONDS)
        try:
            if secure:
                with cut_off_after(_ALTOGETHER, socket.fileno()):
                    socket = ssl.create_default_context().wrap_socket(socket, server_hostname=host)
        except OSError:
            socket.close()
            raise
        connection = http.client.HTTPConnection(host)
        connection.sock = socket
        # Never let http.client open a connection itself: nobody would judge its address.
        connection.auto_open = 0
        return connection


def get(url: str) -> str:
    """Call the address with GET. Takes seconds. Returns "" if the answer was 2xx, otherwise the reason why not."""
    receiver = Receiver(url)
    try:
        return receiver.get().error
    finally:
        receiver.close()


def _is_read(answer: http.client.HTTPResponse) -> bool:
    """Read the body to its end. A body that breaks off, or never ends, doesn't change the answer's status."""
    try:
        answer.read(_MOST_READ)
    except _BROKEN:
        return False
    return answer.isclosed()


def _judge(*, secure: bool) -> Callable[[Address], bool]:
    """Return the rule that says whether an IP address may be called."""

    def may_be_reached(ip: Address) -> bool:
        if reach(ip) is Reach.INTERNET:
            return secure
        return near_by(ip, private_networks=settings.COMPANION.webhook_private_networks)

    return may_be_reached


def _without_https() -> bool:
    """Return whether plain http is allowed at all. The IP address of the name is then judged, too."""
    return settings.SANDBOX_ON or settings.COMPANION.webhook_private_networks


def _why(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case ConnectionRefusedError():
            return "nothing listens there"
        case ssl.SSLCertVerificationError():
            return "its certificate is not valid"
        case ssl.SSLError():
            return "no encrypted connection"
        case _:
            return "the connection failed"
