"""The sending of alerts: by Telegram as a Message, by e-mail as a Notice, and by webhook.

E-mails and webhooks need neither the dispatcher nor the bot, since any service sends them. A Notice is tried several
times until it is accepted. If a process is killed between sending and storing that it was sent, the Notice is sent
twice, with the same id. The room webhooks/ makes the calls of webhooks.
"""

import datetime as dt
import uuid
from typing import Final

from django.conf import settings
from django.db.models import F, Q
from django.urls import reverse

from companion.clinics.models import Clinic, Member, Role
from companion.panel.finding import STOPPED, Cause
from companion.panel.models import Alert, AlertContact, Maintenance, Notice
from companion.panel.runbook import URGENT, link
from companion.planning.answers import answer
from companion.schedules.models import Lane
from companion.schedules.text import as_it_stands
from companion.service import mailing
from companion.service.mailing import Mail
from companion.webhooks import outbox
from companion.webhooks.models import Kind
from companion.webhooks.outbox import Event

PAUSES: Final = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
"""The waits before each further try; then the Notice is given up."""
KEPT: Final = dt.timedelta(days=30)
WORDS: Final = 500
_AT_ONCE: Final = 20
_OF_ALL: Final = STOPPED | {
    Cause.DISPATCHER_UNWELL,
    Cause.LISTENER_UNWELL,
    Cause.WEB_MISSING,
    Cause.DISPATCHER_LOST,
    Cause.LISTENER_LOST,
    Cause.WEB_LOST,
    Cause.CLOCK_OFF,
}
"""Causes that concern the services, and so all clinics at the same time."""
_ELSEWHERE: Final = dt.timedelta(minutes=5)
TITLES: Final = {"opened": "", "worse": "Worse: ", "recovered": "Recovered: "}


def drop_old(now: dt.datetime) -> None:
    """Delete the Notices of all clinics after the time for which they are kept."""
    Notice.objects.filter(created_at__lt=now - KEPT).delete()


def tell(clinic: Clinic, alert: Alert, event: str, *, now: dt.datetime) -> None:
    """Alert the clinic's admins by the channels that each chose, and its webhooks. Runs in the caller's transaction."""
    Notice.objects.filter(clinic=clinic, created_at__lt=now - KEPT).delete()
    words = f"{TITLES[event]}{alert.words}"
    hearing = AlertContact.objects.filter(clinic=clinic, member__role=Role.ADMIN, telegram_id__isnull=False)
    for telegram_id in hearing.values_list("telegram_id", flat=True):
        by_telegram(clinic, telegram_id or 0, words, now=now)
    status = "ok" if event == "recovered" else alert.status
    of_webhooks = Event(alert.pk, code=alert.cause, more=more_of(event, alert.cause, status))
    outbox.tell(clinic.pk, Kind.ALERT, [of_webhooks], now=now)
    Notice.objects.bulk_create(
        Notice(
            clinic=clinic,
            alert=alert,
            event=event,
            address=address,
            words=alert.words,
            created_at=now,
            next_try_at=now,
        )
        for address in _not_told_elsewhere(clinic, alert, event, now)
    )


def by_telegram(clinic: Clinic, telegram_id: int, words: str, *, now: dt.datetime) -> None:
    """Plan a Message to an admin. It goes in the lane for answers, before the answers to strangers."""
    answer(clinic, telegram_id=telegram_id, patient=None, lane=Lane.ANSWER, text=as_it_stands(words), now=now)


def deliver(*, now: dt.datetime) -> None:
    """Send the Notices that are ready, which takes seconds for each server that hangs.

    Several processes may do so at once.
    """
    quiet = Q(clinic__in=Maintenance.objects.filter(until__gt=now).values("clinic"))
    due = Notice.objects.filter(next_try_at__lte=now).exclude(quiet & ~Q(alert__cause__startswith=URGENT))
    due = due.select_related("clinic", "alert").order_by("next_try_at", "id")
    for notice in due[:_AT_ONCE]:
        if _claim(notice, now):
            error = _send(notice, now)
            done = {"error": error} if error else {"error": "", "sent_at": now, "next_try_at": None}
            Notice.objects.filter(pk=notice.pk).update(**done)


def addresses(clinic: Clinic) -> list[str]:
    """The admins' e-mail addresses, without those who want no e-mail."""
    silent = AlertContact.objects.filter(clinic=clinic, by_email=False).values("member")
    admins = Member.objects.filter(
        clinic=clinic, role=Role.ADMIN, user__is_active=True, joined_at__isnull=False
    ).exclude(pk__in=silent)
    return sorted(filter(mailing.is_address, set(admins.values_list("user__email", flat=True))))


def mail_of(clinic: Clinic, to: str, title: str, words: str, *, cause: str, name: uuid.UUID, thread: uuid.UUID) -> Mail:
    """The e-mail about the alert, with a link to the runbook."""
    first = words.partition(". ")[0].rstrip(".")
    body = (
        f"{title}{words}\n\n"
        f"What it means and what to do: {link(cause)}\n"
        f"The Control Panel: {settings.COMPANION.public_url}{reverse('control_panel')}\n\n"
        f"You get this as an admin of {clinic.name}. You choose what you hear of at "
        f"{settings.COMPANION.public_url}{reverse('alerts')}\n"
    )
    return Mail(to, f"{clinic.name}: {title}{first}", body, name.hex, thread.hex)


def more_of(event: str, cause: str, status: str) -> dict[str, str]:
    """The part of a webhook's payload that says what happened to an alert."""
    return {"event": event, "status": status, "runbook": link(cause)}


def _not_told_elsewhere(clinic: Clinic, alert: Alert, event: str, now: dt.datetime) -> list[str]:
    """The e-mail addresses that get the alert. An admin of several clinics gets one if it concerns all."""
    if not mailing.possible():
        return []
    sent = Notice.objects.filter(event=event, alert__cause=alert.cause, created_at__gt=now - _ELSEWHERE)
    known = set(sent.exclude(clinic=clinic).values_list("address", flat=True)) if alert.cause in _OF_ALL else set()
    return [address for address in addresses(clinic) if address not in known]


def _claim(notice: Notice, now: dt.datetime) -> bool:
    """Claim this try, and store the instant of the next try in case this process dies before it ends."""
    pause = PAUSES[notice.tries] if notice.tries < len(PAUSES) else None
    own = Notice.objects.filter(pk=notice.pk, tries=notice.tries, next_try_at__isnull=False)
    return own.update(tries=F("tries") + 1, next_try_at=now + pause if pause else None) == 1


def _send(notice: Notice, now: dt.datetime) -> str:
    """Send the notice. Returns "" or the reason for the failure."""
    cause, title = notice.alert.cause, TITLES[notice.event]
    to, words = notice.address, notice.words
    return mailing.send(mail_of(notice.clinic, to, title, words, cause=cause, name=notice.pk, thread=notice.alert.pk))
