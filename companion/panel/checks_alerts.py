"""Checks of alerts: whether anybody would hear of an alert, and whether the mail server takes e-mails."""

import datetime as dt
from collections.abc import Iterator

from django.conf import settings

from companion.clinics.models import Clinic
from companion.panel.check import CheckResult, Group, failed, ok, warning
from companion.panel.models import AlertContact
from companion.service import mailing
from companion.webhooks.models import Kind

_ADVICE = (
    "Set COMPANION_SMTP_URL, so that admins hear by e-mail, or add a webhook under Settings, Webhooks. Telegram "
    "alone doesn't tell that the dispatcher or the bot is away."
)


def alerts(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check the ways of alerts: each clinic needs one that works without dispatcher and bot."""
    clinics = Clinic.objects.filter(pk=clinic.pk) if clinic else Clinic.objects.all()
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


def mail_server(_clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check that the mail server accepts our sign-in, if one is set."""
    if not mailing.possible():
        return
    name, host = "Mail server", settings.EMAIL_HOST
    if error := mailing.try_out():
        advice = "See COMPANION_SMTP_URL, and the firewall between; alerts' e-mails are tried again for an hour."
        yield failed(Group.NETWORK, name, f"{host}: {error}", advice)
    else:
        yield ok(Group.NETWORK, name, host)
