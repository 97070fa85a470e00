"""Checks of alerts: whether an alert would reach a person, and whether mail server and webhooks accept them."""

import datetime as dt
from collections.abc import Iterator
from typing import Final

from django.conf import settings

from companion.clinics.models import Clinic
from companion.panel.check import CheckResult, Group, counted, failed, ok, warning
from companion.panel.models import AlertContact
from companion.service import mailing
from companion.webhooks.models import Delivery, Kind, Webhook
from companion.webhooks.turn import TRIED_FOR

_LATELY: Final = dt.timedelta(days=1)
_ADVICE: Final = (
    "Set COMPANION_SMTP_URL, so that admins get e-mails, or add a webhook under Settings, Webhooks. By Telegram alone "
    "no alert arrives if the dispatcher or the bot doesn't work."
)


def alerts(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check the channels of alerts: each clinic needs a channel that works without dispatcher and bot."""
    clinics = Clinic.objects.filter(pk=clinic.pk) if clinic else Clinic.objects.filter(archived_at=None)
    hooked = clinics.filter(webhooks__closed_at=None, webhooks__wishes__kind=Kind.ALERT).distinct().count()
    deaf = 0 if mailing.possible() else clinics.count() - hooked
    name = "Alerts"
    ways = ["e-mail"] * mailing.possible() + ["webhook"] * bool(hooked)
    ways += ["Telegram"] * AlertContact.objects.filter(clinic__in=clinics, telegram_id__isnull=False).exists()
    value = f"by {' and '.join(ways)}" if ways else "nobody hears of them"
    if deaf and not settings.SANDBOX_ON:
        yield warning(Group.CONFIGURATION, name, value, _ADVICE)
    else:
        yield ok(Group.CONFIGURATION, name, value)


def called_webhooks(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check that the receivers of webhooks accept their calls, if there are any webhooks."""
    rows = Webhook.objects.filter(clinic=clinic) if clinic else Webhook.objects.all()
    if not (known := rows.count()):
        return
    given_up = Delivery.objects.filter(
        webhook__in=rows, next_try_at=None, taken_at=None, since__gt=now - TRIED_FOR - _LATELY
    ).count()
    closed = rows.filter(closed_at__isnull=False).count()
    refusing = rows.filter(closed_at=None, failures__gt=0).count()
    found = {
        f"{closed:,} closed by an answer 410": closed,
        f"{refusing:,} not taking calls": refusing,
        f"{counted(given_up, 'call')} given up since yesterday": given_up,
    }
    wrong = ", ".join(words for words, count in found.items() if count)
    if wrong:
        advice = "Look at Settings, Webhooks: repair the receiver, then open the webhook or send missed events again."
        yield warning(Group.CONFIGURATION, "Webhooks", wrong, advice)
    else:
        yield ok(Group.CONFIGURATION, "Webhooks", f"{known:,} taking calls")


def mail_server(_clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check that the mail server, if it is set, accepts our sign-in."""
    if not mailing.possible():
        return
    name, host = "Mail server", settings.EMAIL_HOST
    if error := mailing.try_out():
        advice = "Check COMPANION_SMTP_URL and the firewall. E-mails about alerts are tried again for an hour."
        yield failed(Group.NETWORK, name, f"{host}: {error}", advice)
    else:
        yield ok(Group.NETWORK, name, host)
