"""Send POSTs, or a plain GET, to a clinic's own program, anywhere on the public internet.

A clinic's admin writes the address, so it must not lead into the private network of the operator
(service/addresses.py). Redirects are not followed.
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
"""A longer answer is not read to its end, and its connection is not used again."""
_PORTS: Final = {"https": 443, "http": 80}


def check(url: str) -> None:
    """Raise Refused if this address can't be a webhook's, as far as the text of the address shows."""
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
        raise Refused(Problem("url", "Leave out a user before the @ and what follows a #."))
    if parts.scheme == "http" and not _without_https():
        raise Refused(Problem("url", "It must begin with https://, so that nobody on the way reads along."))


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to a call: its status code, or None and the reason, in our own words, why there is none."""

    code: int | None
    why: str = ""
    retry_after: str = ""
    """The header Retry-After: when the other side wants to be called again, in seconds or as a date."""

    @property
    def error(self) -> str:
        """ "" if the call was taken, else the reason."""
        taken = self.code is not None and 200 <= self.code < 300
        return "" if taken else self.why or f"it answered {self.code}"


class Line:
    """A way to one address, which keeps its connection for further calls. Redirects are not followed."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: str, headers: Mapping[str, str]) -> Said:
        """Send the body; takes seconds if nobody answers."""
        return self._call("POST", body.encode(), {"Content-Type": "application/json", **headers})

    def get(self) -> Said:
        """Ask for the address; takes seconds if nobody answers."""
        return self._call("GET", None, {})

    def close(self) -> None:
        """End the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _call(self, method: str, body: bytes | None, more: Mapping[str, str]) -> Said:
        if drill.is_on():
            return Said(None, "this is a drill, which calls nobody")
        headers = {"Host": self._parts.netloc, "User-Agent": "AI-Companion-Scheduler", **more}
        kept = self._connection is not None
        try:
            try:
                return self._ask(method, body, headers)
            except (ConnectionError, http.client.RemoteDisconnected):
                # A server may end a kept connection at any time. It did not work on this call, or sees its id again.
                self.close()
                if not kept:
                    raise
                return self._ask(method, body, headers)
        except NoWay as no:
            return Said(None, str(no))
        except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
            # Python's reader of answers raises the last two where the length of a chunk is negative, or far too large.
            self.close()
            return Said(None, _why(error))

    def _ask(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> Said:
        parts = self._parts
        line = self._connection or self._connected()
        self._connection = line
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        with cut_off_after(_ALTOGETHER, line.sock.fileno()):
            line.request(method, target, body, dict(headers))
            answer = line.getresponse()
            whole = _is_read(answer)
        if answer.will_close or not whole:
            self.close()
        return Said(answer.status, retry_after=answer.getheader("Retry-After", ""))

    def _connected(self) -> http.client.HTTPConnection:
        parts = self._parts
        secure, host = parts.scheme == "https", parts.hostname or ""
        own = connected(host, parts.port or _PORTS[parts.scheme], _judge(secure=secure), seconds=_SECONDS)
        try:
            if secure:
                with cut_off_after(_ALTOGETHER, own.fileno()):
                    own = ssl.create_default_context().wrap_socket(own, server_hostname=host)
        except OSError:
            own.close()
            raise
        line = http.client.HTTPConnection(host)
        line.sock = own
        # Never a connection of its own, to an address that nobody judged.
        line.auto_open = 0
        return line


def get(url: str) -> str:
    """Ask for the address; takes seconds. Returns "" if the other side answered 2xx, else the reason."""
    line = Line(url)
    try:
        return line.get().error
    finally:
        line.close()


def _is_read(answer: http.client.HTTPResponse) -> bool:
    """Read the body to its end. A body that breaks off, or never ends, doesn't change the answer's status."""
    try:
        answer.read(_MOST_READ)
    except (OSError, http.client.HTTPException):
        return False
    return answer.isclosed()


def _judge(*, secure: bool) -> Callable[[Address], bool]:
    """The rule for the addresses to which a webhook may go."""

    def may_be_reached(ip: Address) -> bool:
        if reach(ip) is Reach.INTERNET:
            return secure
        return near_by(ip, private_networks=settings.COMPANION.webhook_private_networks)

    return may_be_reached


def _without_https() -> bool:
    """Judge whether plain http may be tried at all; the address that is found then is judged too."""
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
