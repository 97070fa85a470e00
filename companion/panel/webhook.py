"""Send one signed POST, or a plain GET, to a clinic's own program, anywhere on the public internet.

A clinic's admin writes the address, so it must not lead into the private network of the operator
(service/addresses.py). Redirects are not followed.
"""

import hashlib
import hmac
import http.client
import socket
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from companion.clinics.refusals import Problem, Refused
from companion.service import drill
from companion.service.addresses import Address, NoWay, Reach, connected, near_by, reach
from companion.service.timeouts import cut_off_after

SIGNATURE: Final = "X-Companion-Signature"
_SECONDS: Final = 5.0
_ALTOGETHER: Final = 10.0
_LONGEST: Final = 500
_PORTS: Final = {"https": 443, "http": 80}


def check(url: str) -> None:
    """Raise Refused if this address can't be a webhook's, as far as the text of the address shows."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if len(url) > _LONGEST or parts.scheme not in ("https", "http") or not parts.hostname or port == 0 or " " in url:
        raise Refused(Problem("url", "Write an address like https://alerts.clinic.example/companion."))
    if not url.isascii() or not url.isprintable():
        raise Refused(Problem("url", "Write special characters as %-escapes, and the name in its xn-- form."))
    if parts.username is not None or parts.fragment:
        raise Refused(Problem("url", "Leave out a user before the @ and what follows a #."))
    if parts.scheme == "http" and not _without_https():
        raise Refused(Problem("url", "It must begin with https://, so that nobody on the way reads along."))


def signature(secret: str, body: bytes, *, at: int) -> str:
    """The signature header: the time (seconds since 1970), and the HMAC-SHA256 of "<time>.<body>" by the shared
    secret.
    """
    digest = hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def post(url: str, secret: str, body: bytes, *, at: int) -> str:
    """Send the call; takes seconds. Returns "" if the other side answered 2xx, else the reason, in our own words."""
    return _call("POST", url, body, {"Content-Type": "application/json", SIGNATURE: signature(secret, body, at=at)})


def get(url: str) -> str:
    """Ask for the address; takes seconds. Returns "" if the other side answered 2xx, else the reason."""
    return _call("GET", url, None, {})


def _call(method: str, url: str, body: bytes | None, more: dict[str, str]) -> str:
    if drill.is_on():
        return "this is a drill, which calls nobody"
    parts = urlsplit(url)
    headers = {"Host": parts.netloc, "User-Agent": "AI-Companion-Scheduler", **more}
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        with (
            connected(
                parts.hostname or "",
                parts.port or _PORTS[parts.scheme],
                _judge(secure=parts.scheme == "https"),
                seconds=_SECONDS,
            ) as own,
            cut_off_after(_ALTOGETHER, own.fileno()),
        ):
            status = _ask(own, parts, method, target, body, headers)
    except NoWay as no:
        return str(no)
    except (OSError, http.client.HTTPException) as error:
        return _why(error)
    return "" if 200 <= status < 300 else f"it answered {status}"


def _ask(
    own: socket.socket, parts: SplitResult, method: str, target: str, body: bytes | None, headers: dict[str, str]
) -> int:
    """The status of the answer; nobody needs the rest."""
    host = parts.hostname or ""
    if parts.scheme == "https":
        own = ssl.create_default_context().wrap_socket(own, server_hostname=host)
    connection = http.client.HTTPConnection(host)
    connection.sock = own
    try:
        connection.request(method, target, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


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
