"""Tells people of an alert: by Telegram as a Message, by e-mail and webhook as Notices that any service sends.

E-mail and webhook need neither the dispatcher nor the bot: they go out from whichever process looks next. A Notice is
tried again until it was taken, so that a process killed between sending and noting may repeat one, under the same id.
"""

import datetime as dt
import json
import uuid
from typing import Final

from django.conf import settings
from django.db.models import F
from django.urls import reverse

from companion.clinics.models import Clinic, Member, Role
from companion.clinics.sealed import CannotOpen
from companion.panel import mailing, webhook
from companion.panel.judge import Cause
from companion.panel.mailing import Mail
from companion.panel.models import Alert, AlertContact, AlertWebhook, Notice
from companion.panel.runbook import link
from companion.planning.answers import answer
from companion.schedules.models import Lane
from companion.schedules.text import as_it_stands

PAUSES: Final = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
"""Before each further try; then it is given up."""
KEPT: Final = dt.timedelta(days=30)
WORDS: Final = 500
_AT_ONCE: Final = 20
_OF_ALL: Final = {
    Cause.DISPATCHER_MISSING,
    Cause.DISPATCHER_UNWELL,
    Cause.LISTENER_MISSING,
    Cause.WEB_MISSING,
    Cause.CLOCK_OFF,
}
"""What is wrong with the services, and so with every clinic at once."""
_ELSEWHERE: Final = dt.timedelta(minutes=5)
TITLES: Final = {"opened": "", "worse": "Worse: ", "recovered": "Recovered: "}


def tell(clinic: Clinic, alert: Alert, event: str, *, now: dt.datetime) -> None:
    """In the caller's transaction: to the clinic's admins by Telegram and e-mail, as each wants, and to its webhook."""
    Notice.objects.filter(clinic=clinic, created_at__lt=now - KEPT).delete()
    words = f"{TITLES[event]}{alert.words}"
    hearing = AlertContact.objects.filter(clinic=clinic, member__role=Role.ADMIN, telegram_id__isnull=False)
    for telegram_id in hearing.values_list("telegram_id", flat=True):
        by_telegram(clinic, telegram_id or 0, words, now=now)
    ways = [("email", address) for address in _not_told_elsewhere(clinic, alert, event, now)]
    if AlertWebhook.objects.filter(clinic=clinic).exists():
        ways.append(("webhook", ""))
    Notice.objects.bulk_create(
        Notice(
            clinic=clinic,
            alert=alert,
            event=event,
            way=way,
            address=address,
            words=alert.words,
            created_at=now,
            next_try_at=now,
        )
        for way, address in ways
    )


def by_telegram(clinic: Clinic, telegram_id: int, words: str, *, now: dt.datetime) -> None:
    """A Message to an admin, which goes the way that all go, and first: an admin is no stranger."""
    answer(clinic, telegram_id=telegram_id, patient=None, lane=Lane.ANSWER, text=as_it_stands(words), now=now)


def deliver(*, now: dt.datetime) -> None:
    """Sends what is to be sent; takes seconds for each that hangs. Several processes may do so at once."""
    due = Notice.objects.filter(next_try_at__lte=now).select_related("clinic", "alert").order_by("next_try_at", "id")
    for notice in due[:_AT_ONCE]:
        if _claim(notice, now):
            error = _send(notice, now)
            done = {"error": error} if error else {"error": "", "sent_at": now, "next_try_at": None}
            Notice.objects.filter(pk=notice.pk).update(**done)


def addresses(clinic: Clinic) -> list[str]:
    """The admins' own, but for those who want no e-mail."""
    silent = AlertContact.objects.filter(clinic=clinic, by_email=False).values("member")
    admins = Member.objects.filter(clinic=clinic, role=Role.ADMIN, user__is_active=True).exclude(pk__in=silent)
    return sorted({address for address in admins.values_list("user__email", flat=True) if address})


def mail_of(clinic: Clinic, to: str, title: str, words: str, *, cause: str, name: uuid.UUID, thread: uuid.UUID) -> Mail:
    """The e-mail that says so, with where to read on."""
    first = words.partition(". ")[0].rstrip(".")
    body = (
        f"{title}{words}\n\n"
        f"What it means and what to do: {link(cause)}\n"
        f"The Control Panel: {settings.COMPANION.public_url}{reverse('control_panel')}\n\n"
        f"You get this as an admin of {clinic.name}. You choose what you hear of at "
        f"{settings.COMPANION.public_url}{reverse('alerts')}\n"
    )
    return Mail(to, f"{clinic.name}: {title}{first}", body, name.hex, thread.hex)


def body_of(
    clinic: Clinic, event: str, words: str, *, cause: str, status: str, name: uuid.UUID, at: dt.datetime
) -> bytes:
    """What a webhook gets. It names the clinic and no patient."""
    said = {
        "id": str(name),
        "event": event,
        "cause": cause,
        "status": status,
        "words": words,
        "clinic": clinic.slug,
        "at": at.isoformat().replace("+00:00", "Z"),
        "runbook": link(cause),
    }
    return json.dumps(said, ensure_ascii=False).encode()


def _not_told_elsewhere(clinic: Clinic, alert: Alert, event: str, now: dt.datetime) -> list[str]:
    """Whom an e-mail goes to. Who is admin of several clinics hears once of what concerns all of them."""
    if not mailing.possible():
        return []
    told = Notice.objects.filter(event=event, alert__cause=alert.cause, created_at__gt=now - _ELSEWHERE)
    known = set(told.exclude(clinic=clinic).values_list("address", flat=True)) if alert.cause in _OF_ALL else set()
    return [address for address in addresses(clinic) if address not in known]


def _claim(notice: Notice, now: dt.datetime) -> bool:
    """Takes this try, and says when the next one is, should this process die meanwhile."""
    pause = PAUSES[notice.tries] if notice.tries < len(PAUSES) else None
    own = Notice.objects.filter(pk=notice.pk, tries=notice.tries, next_try_at__isnull=False)
    return own.update(tries=F("tries") + 1, next_try_at=now + pause if pause else None) == 1


def _send(notice: Notice, now: dt.datetime) -> str:
    """Empty, or why it couldn't be sent."""
    cause, clinic = notice.alert.cause, notice.clinic
    if notice.way == "email":
        title = TITLES[notice.event]
        return mailing.send(
            mail_of(clinic, notice.address, title, notice.words, cause=cause, name=notice.pk, thread=notice.alert.pk)
        )
    try:
        hook = AlertWebhook.objects.filter(clinic=clinic).first()
    except CannotOpen:
        return "its address can't be opened: give back the COMPANION_SECRET_KEY of before"
    if hook is None:
        return "there is no webhook any more"
    body = body_of(
        clinic,
        notice.event,
        notice.words,
        cause=cause,
        status="ok" if notice.event == "recovered" else notice.alert.status,
        name=notice.pk,
        at=notice.created_at,
    )
    return webhook.post(hook.url, hook.secret, body, at=int(now.timestamp()))
