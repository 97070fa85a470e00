"""Checks of alerts: whether anybody would hear of an alert, and whether mail server and webhooks take them."""

import datetime as dt
from collections.abc import Iterator

from django.conf import settings

from companion.clinics.models import Clinic
from companion.panel.check import CheckResult, Group, failed, ok, warning
from companion.panel.models import AlertContact
from companion.service import mailing
from companion.webhooks.models import Delivery, Kind, Webhook
from companion.webhooks.turn import TRIED_FOR

_LATELY = dt.timedelta(days=1)
_ADVICE = (
    "Set COMPANION_SMTP_URL, so that admins hear by e-mail, or add a webhook under Settings, Webhooks. Telegram "
    "alone doesn't tell that the dispatcher or the bot is away."
)


def alerts(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check the ways of alerts: each clinic needs one that works without dispatcher and bot."""
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
    """Check that the receivers of webhooks take their calls, if there are any."""
    rows = Webhook.objects.filter(clinic=clinic) if clinic else Webhook.objects.all()
    if not (known := rows.count()):
        return
    given_up = Delivery.objects.filter(
        webhook__in=rows, next_try_at=None, taken_at=None, since__gt=now - TRIED_FOR - _LATELY
    )
    found = (
        (rows.filter(closed_at__isnull=False).count(), "closed by an answer 410"),
        (rows.filter(closed_at=None, failures__gt=0).count(), "not answering"),
        (given_up.count(), "calls given up since yesterday"),
    )
    wrong = ", ".join(f"{count:,} {words}" for count, words in found if count)
    if wrong:
        advice = "See Settings, Webhooks: mend the receiver, then open the webhook again, or send again what it missed."
        yield warning(Group.CONFIGURATION, "Webhooks", wrong, advice)
    else:
        yield ok(Group.CONFIGURATION, "Webhooks", f"{known:,} taking calls")


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
