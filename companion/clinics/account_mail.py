"""E-mails to a person about their account. They are sent after the commit, and only if a mail server is set.

If an e-mail can't be sent, this is logged, and the act stands: the audit trail has recorded it.
"""

import datetime as dt
import threading
from functools import partial
from typing import Final

import structlog
from django.contrib.auth.models import User
from django.db import transaction

from companion.clinics.ids import new_id
from companion.clinics.models import Member
from companion.service import mailing
from companion.service.mailing import Mail
from companion.service.slots import MAILS, Busy

log = structlog.stdlib.get_logger(__name__)
_NOT_YOU: Final = "If this was not you, tell an admin of your clinic."


def invitation(member: Member, link: str) -> None:
    """Send the link by which the person accepts the membership, or signs in."""
    clinic = member.clinic.name
    if member.joined_at is None:
        subject = f"{clinic} invites you"
        opening = f"You are invited to {clinic} on AI Companion Scheduler, as {member.role}."
    else:
        subject = f"Your sign-in link for {clinic}"
        opening = f"An admin of {clinic} asked for a sign-in link for you."
    _tell(
        member.user,
        subject,
        f"{opening}\n\nThis link signs you in once, within a day:\n{link}\n\n"
        "Accepting an invitation ends your password and all your sessions, if you have any.\n"
        "You then set a new password.\n\n"
        "If you don't know the clinic, do nothing.\n",
    )


def link_made(member: Member, by: str) -> None:
    """Report that somebody made a sign-in link, and saw it."""
    _tell(
        member.user,
        "A sign-in link was made for your account",
        f"{by} made a link that signs in to your account once, within a day, for {member.clinic.name}.\n\n"
        "If you didn't ask for it, tell the operator of the server.\n",
    )


def link_used(member: Member, *, now: dt.datetime) -> None:
    """Report a sign-in by link."""
    _tell(
        member.user,
        "Somebody signed in with your link",
        f"A sign-in link of your account was used at {now:%H:%M UTC on %Y-%m-%d}, for {member.clinic.name}.\n\n"
        f"{_NOT_YOU}\n",
    )


def changed(member: Member, change: str) -> None:
    """Report a change of the membership, like "Your role in Linden is now viewer." """
    _tell(member.user, f"Your account at {member.clinic.name}", f"{change}\n\n{_NOT_YOU}\n")


def operator_made(user: User) -> None:
    """Report that the person is now an operator, and that earlier ways into the account have ended."""
    words = "You are now an operator of the server. Your password, second steps and sessions were ended."
    _tell(user, "Your account on AI Companion Scheduler", f"{words}\n\n{_NOT_YOU}\n")


def operator_removed(user: User) -> None:
    """Report that the person is an ordinary member again."""
    _tell(user, "Your account on AI Companion Scheduler", f"You are no longer an operator.\n\n{_NOT_YOU}\n")


def new_device(user: User, device: str, address: str, *, now: dt.datetime) -> None:
    """Report a sign-in from a browser that is new for this account, like "Firefox on Windows"."""
    _tell(
        user,
        "A sign-in from a new device",
        f"Somebody signed in to your account at {now:%H:%M UTC on %Y-%m-%d}, by {device}, from {address}.\n\n"
        f"{_NOT_YOU} Then change your password and end your other sessions.\n",
    )


def sign_in_failed(user: User, what: str, device: str, address: str, *, now: dt.datetime) -> None:
    """Report that "A sign-in to your account" or "The second step of a sign-in to your account" failed."""
    _tell(
        user,
        "A sign-in to your account failed",
        f"{what} failed at {now:%H:%M UTC on %Y-%m-%d}, by {device}, from {address}.\n\n"
        f"If this was you, do nothing. {_NOT_YOU} If the second step failed, somebody may know your password: "
        "change it.\n\nYou get no other e-mail of this kind for a day. Your clinic's audit trail shows each try.\n",
        # By its time, the answer of the page must not tell a stranger whether the account exists.
        aside=True,
    )


def factors_changed(user: User, change: str) -> None:
    """Report a change of the second factors, like "A passkey was added." """
    _tell(user, "Your two-step sign-in was changed", f"{change}\n\n{_NOT_YOU}\n")


def session_ended(user: User) -> None:
    """Report that a session was ended from another session."""
    _tell(
        user,
        "Sessions of your account were ended",
        f"Sessions were ended on the page of your sessions.\n\n{_NOT_YOU}\n",
    )


def password_changed(user: User) -> None:
    """Report that the password was set or changed."""
    _tell(user, "Your password was changed", f"The password of your account was set or changed.\n\n{_NOT_YOU}\n")


def _tell(user: User, subject: str, body: str, *, aside: bool = False) -> None:
    """Send an e-mail after the commit. `aside`: in a thread of its own, so that the page doesn't wait."""
    if mailing.possible() and mailing.is_address(user.email):
        name = str(new_id())
        mail = Mail(to=user.email, subject=subject, body=body, name=name, thread=name)
        send = partial(_send, user, mail)
        thread = threading.Thread(target=send, name=mailing.MAIL_THREAD, daemon=True)
        transaction.on_commit(thread.start if aside else send)


def _send(user: User, mail: Mail) -> None:
    """Send the e-mail, unless two e-mails to this person are on their way: the mail server may be slow."""
    try:
        with MAILS.taken(user.pk):
            problem = mailing.send(mail)
    except Busy as busy:
        problem = str(busy)
    if problem:
        log.warning("an e-mail about an account was not sent", why=problem)
