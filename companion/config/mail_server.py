"""The mail server that COMPANION_SMTP_URL names. service/mailing.py sends e-mails by it."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from companion.config.secret_urls import parted


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server that sends our e-mails. An empty host means that there is none."""

    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    tls_at_once: bool = False
    starttls: bool = False


def smtp(url: str) -> MailServer:
    """Parse smtp:// (STARTTLS, port 587), smtps:// (TLS from the start, port 465) or smtp://…?tls=no.

    The last form is for a server on this machine or in a trusted network. Raises ValueError for any other address; the
    message never quotes it.
    """
    parts, port = parted(url, "COMPANION_SMTP_URL")
    query = dict(parse_qsl(parts.query))
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or query not in ({}, {"tls": "no"}):
        raise ValueError("COMPANION_SMTP_URL must begin with smtp:// or smtps://")
    at_once = parts.scheme == "smtps"
    return MailServer(
        parts.hostname,
        port or (465 if at_once else 587),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        tls_at_once=at_once,
        starttls=not at_once and not query,
    )
