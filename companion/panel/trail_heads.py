"""The newest hash of each audit trail, sent once a day by e-mail and webhook, to notice if newer entries are removed.

The e-mail also says if the database doesn't protect the trail. Any service sends it. It is tried again each hour until
a mail server accepts it.
"""

import datetime as dt
from typing import Final

from django.db import transaction
from django.db.models import F

from companion.clinics import append_only, chain
from companion.clinics.models import Clinic
from companion.panel import notices
from companion.panel.models import TrailHead
from companion.service import mailing
from companion.service.mailing import Mail
from companion.webhooks import outbox
from companion.webhooks.models import Kind
from companion.webhooks.outbox import Event

AGAIN: Final = dt.timedelta(hours=1)
_TRIES: Final = 24
_UNPROTECTED: Final = (
    "Attention: at present the database doesn't keep the audit trail append-only, so entries may be changed or "
    "removed. Tell the operator of the server, who runs `companion migrate` and `companion audit verify`."
)


def tell_daily(*, now: dt.datetime) -> None:
    """Send each clinic's newest hash if it was not sent today, which takes seconds for each e-mail.

    Of an archived clinic only a hash that was never sent: its people have left, and its trail seldom goes on.
    Several processes may do so at once.
    """
    today = now.astimezone(dt.UTC).date()
    sent = TrailHead.objects.filter(day=today).values("clinic_id")
    for clinic in list(Clinic.objects.exclude(pk__in=sent).order_by("id")):
        chain.catch_up(clinic.pk)
        head = chain.head(clinic.pk)
        if head and not (clinic.archived_at and _is_known(clinic, head)):
            _note(clinic, head, today, now)
    due = TrailHead.objects.filter(next_try_at__lte=now).select_related("clinic").order_by("next_try_at")
    for row in list(due):
        _mail(row, now)


def _is_known(clinic: Clinic, head: chain.Head) -> bool:
    return TrailHead.objects.filter(clinic=clinic, number=head.number, hash=head.hash).exists()


def _note(clinic: Clinic, head: chain.Head, day: dt.date, now: dt.datetime) -> None:
    """Store today's hash, also for the webhooks. Only one of several processes creates the row."""
    with transaction.atomic():
        row, made = TrailHead.objects.get_or_create(
            clinic=clinic,
            day=day,
            defaults={
                "number": head.number,
                "hash": head.hash,
                "next_try_at": now if mailing.possible() else None,
            },
        )
        if made:
            event = Event(row.pk, more={"number": head.number, "hash": head.hash})
            outbox.tell(clinic.pk, Kind.AUDIT, [event], now=now)


def _mail(row: TrailHead, now: dt.datetime) -> None:
    again = now + AGAIN if row.tries + 1 < _TRIES else None
    own = TrailHead.objects.filter(pk=row.pk, tries=row.tries, next_try_at__isnull=False)
    # Zero rows: another process sends it.
    if not own.update(tries=F("tries") + 1, next_try_at=again):
        return
    sent = [to for to in notices.addresses(row.clinic) if not mailing.send(_mail_of(row, to))]
    # One e-mail outside is enough. A new try for a refused address would send the e-mail to all others again.
    if sent:
        TrailHead.objects.filter(pk=row.pk).update(next_try_at=None, mailed_at=now)


def _mail_of(row: TrailHead, to: str) -> Mail:
    body = (
        f"The audit trail of {row.clinic.name} ends today with this entry:\n\n"
        f"{row.number}:{row.hash}\n\n"
        "Keep this e-mail. The operator of the server checks the trail with it:\n"
        f"companion audit verify --clinic {row.clinic.slug} --last {row.number}:{row.hash}\n"
    )
    title = f"{row.clinic.name}: the audit trail on {row.day:%Y-%m-%d}"
    if append_only.missing() or append_only.strange():
        title, body = f"{title} is not protected", f"{_UNPROTECTED}\n\n{body}"
    return Mail(to, title, body, row.pk.hex, row.clinic_id.hex)
