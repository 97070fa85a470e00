"""The channels by which a clinic's admins get alerts, as they chose, and a test of each channel."""

import datetime as dt
from collections.abc import Mapping
from typing import Final, Protocol

from django.db import transaction

from companion.clinics import audit, opt_outs
from companion.clinics.access import Caller
from companion.clinics.ids import new_id
from companion.clinics.models import Member, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.panel import notices
from companion.panel.models import AlertContact
from companion.patients.models import Patient
from companion.service import mailing
from companion.service.slots import OUTSIDE
from companion.webhooks import webhooks
from companion.webhooks.models import Kind

NO_TELEGRAM_ID: Final = "A Telegram ID is a positive number. @userinfobot tells you yours."
CHAT_STOPPED: Final = (
    "This chat sent STOP to the clinic's bot, so no alert arrives there. Press Start in the chat first."
)
_TEST: Final = "This is a test from the Control Panel: alerts reach you this way."


def hear(caller: Caller, telegram_id: int | None, *, by_email: bool, now: dt.datetime) -> None:
    """Set how the calling admin gets alerts: at this Telegram ID or (None) not by Telegram; by e-mail or not.

    Raises Refused, also for a chat that has opted out, and Conflict for a program.
    """
    caller.needs(Role.ADMIN)
    if caller.kind != "member" or caller.id is None:
        raise Conflict("Only a person can get alerts.")
    if telegram_id is not None and not 0 < telegram_id < 2**52:
        raise Refused(Problem("telegram_id", NO_TELEGRAM_ID))
    if telegram_id is not None and Patient.objects.filter(clinic=caller.clinic, telegram_id=telegram_id).exists():
        raise Refused(Problem("telegram_id", "This is a patient's Telegram ID. Alerts go to admins only."))
    if opt_outs.has_stopped(caller.clinic, telegram_id):
        raise Refused(Problem("telegram_id", CHAT_STOPPED))
    with transaction.atomic():
        wanted = {"telegram_id": telegram_id, "by_email": by_email}
        changes = audit.differences(audit.columns(contact_of(caller), wanted), wanted, veiled=("telegram_id",))
        AlertContact.objects.update_or_create(member_id=caller.id, defaults={"clinic": caller.clinic, **wanted})
        audit.record(caller, "alerts' addressee changed", "member", caller.id, now=now, changes=changes)


def contact_of(caller: Caller) -> AlertContact:
    """Return how the caller gets alerts: as they chose, else only by e-mail."""
    if caller.kind != "member" or caller.id is None:
        return AlertContact(by_email=False)
    found = AlertContact.objects.filter(clinic=caller.clinic, member_id=caller.id).first()
    return found or AlertContact(by_email=True)


def has_stopped(contact: AlertContact) -> bool:
    """Return whether this person's chat gets no alerts because it sent STOP."""
    return contact.telegram_id is not None and opt_outs.has_stopped(contact.clinic, contact.telegram_id)


def email_of(caller: Caller) -> str:
    """The address with which the calling person signs in; empty for a program, or without an address."""
    if caller.kind != "member" or caller.id is None:
        return ""
    member = Member.objects.filter(clinic=caller.clinic, pk=caller.id).select_related("user").first()
    return member.user.email if member and mailing.is_address(member.user.email) else ""


def test_telegram(caller: Caller, *, now: dt.datetime) -> None:
    """Send the calling admin a test message. Raises Conflict if no message can arrive."""
    caller.needs(Role.ADMIN)
    contact = contact_of(caller)
    if contact.telegram_id is None:
        raise Conflict("First enter your Telegram ID.")
    if opt_outs.has_stopped(caller.clinic, contact.telegram_id):
        raise Conflict(CHAT_STOPPED)
    with transaction.atomic():
        words = "This is a test from the Control Panel: sending works."
        notices.by_telegram(caller.clinic, contact.telegram_id, words, now=now)
        audit.record(caller, "test message sent", "member", caller.id, now=now, changes=audit.NO_VALUE)


def test_email(caller: Caller, *, now: dt.datetime) -> None:
    """Send the calling admin an e-mail, which may take seconds. Raises Conflict with the reason if this fails."""
    caller.needs(Role.ADMIN)
    address = email_of(caller)
    if not mailing.possible():
        raise Conflict("No e-mail can be sent from here: COMPANION_SMTP_URL is not set.")
    if not address:
        raise Conflict("No e-mail can be sent to you, since no e-mail address of yours is known.")
    name = new_id()
    mail = notices.mail_of(caller.clinic, address, "", _TEST, cause="test", name=name, thread=name)
    with OUTSIDE.taken(caller.clinic.pk):
        error = mailing.send(mail)
    audit.record(caller, "test e-mail sent", "clinic", caller.clinic.pk, now=now, changes=audit.NO_VALUE)
    if error:
        raise Conflict(f"The e-mail could not be sent: {error}.")


def test_webhook(caller: Caller, *, now: dt.datetime) -> None:
    """Call the clinic's webhooks for alerts, which may take seconds. Raises Conflict with the first failure."""
    caller.needs(Role.ADMIN)
    found = list(webhooks.wanting(caller.clinic, Kind.ALERT))
    if not found:
        raise Conflict("No webhook gets alerts. Add one for alerts under Settings, Webhooks.")
    for webhook in found:
        webhooks.try_out(caller, webhook, now=now)


class _Test(Protocol):
    def __call__(self, caller: Caller, *, now: dt.datetime) -> None: ...


TESTS: Final[Mapping[str, _Test]] = {"telegram": test_telegram, "email": test_email, "webhook": test_webhook}
"""The test of each channel."""
