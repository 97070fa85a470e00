"""Send an e-mail by the mail server that COMPANION_SMTP_URL names."""

import smtplib
import ssl
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from companion.service import drill

MAIL_THREAD: Final = "account-mail"
"""The name of each thread that sends an e-mail for which no page waits (clinics/account_mail.py)."""
_DRILL: Final = "no e-mail is sent in a drill"
_REFUSED: Final = "the mail server refused it"
_SUBJECT: Final = 120


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail and its recipient. `name` identifies it, `thread` joins e-mails about the same alert."""

    to: str
    subject: str
    body: str
    name: str
    thread: str


def possible() -> bool:
    """Return whether a mail server is set."""
    return settings.COMPANION.smtp_url is not None


def is_address(text: str) -> bool:
    """Return whether this is an e-mail address. A sign-in service may name a person by something else."""
    return "@" in text


def send(mail: Mail) -> str:
    """Hand the e-mail to the mail server, which may take seconds.

    Returns "", or the reason for the failure, which doesn't quote the server.
    """
    if drill.is_on():
        return _DRILL
    subject = " ".join(mail.subject.split())
    message = EmailMessage(
        subject if len(subject) <= _SUBJECT else f"{subject[: _SUBJECT - 1]}…",
        mail.body,
        to=[mail.to],
        headers={
            # A second try has the same id, so that a mail program shows the e-mail only once.
            "Message-ID": f"<{mail.name}@companion.invalid>",
            "References": f"<{mail.thread}@companion.invalid>",
            "Auto-Submitted": "auto-generated",
        },
    )
    try:
        message.send()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return _why(error)
    return ""


def try_out() -> str:
    """Sign in to the mail server without sending anything. Returns "" or the reason for the failure."""
    if drill.is_on():
        return _DRILL
    server = get_connection()
    try:
        server.open()
        server.close()
    except (smtplib.SMTPException, OSError) as error:
        return _why(error)
    return ""


def _why(error: Exception) -> str:
    match error:
        case smtplib.SMTPAuthenticationError():
            return "the mail server refused the user or the password"
        case smtplib.SMTPRecipientsRefused():
            return "the mail server refused the address"
        case smtplib.SMTPResponseException():
            return f"{_REFUSED} ({error.smtp_code})"
        case smtplib.SMTPException():
            return "the mail server ended the connection, or speaks without encryption"
        case ConnectionRefusedError():
            return "no mail server listens there"
        case TimeoutError():
            return "the mail server didn't answer in time"
        case ssl.SSLError():
            return "no encrypted connection to the mail server"
        case OSError():
            return "the mail server can't be reached"
        case _:
            return "the address can't be written to"
