"""`/clinics`: all clinics of the installation, for operators. No patient's data is read here."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from companion.clinics import operators, register
from companion.clinics.models import Bot, Clinic
from companion.clinics.refusals import Unknown
from companion.panel import health, message_counts
from companion.panel.health import HealthReport
from companion.panel.message_counts import Measure
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.templatetags.counts import capped


@dataclass(frozen=True, slots=True)
class Row:
    """A clinic as operators see it."""

    clinic: Clinic
    people: int
    bot: str
    """The bot's name; empty without a bot."""
    sent: str
    """The number of messages sent within 24 hours, in words."""
    health: HealthReport | None
    """The state of sending; None for an archived clinic."""
    last_sign_in: datetime | None


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """List all clinics. Raises Unknown for people who aren't operators: for them this page doesn't exist."""
    if not operators.is_operator(request.user):
        raise Unknown
    now = database_now()
    bots = {bot.clinic_id: bot for bot in Bot.objects.defer("token")}
    rows = [_row(clinic, bots.get(clinic.pk), now) for clinic in register.all_clinics()]
    return render(request, "operator/page.html", {"rows": rows, "now": now})


def _row(clinic: "register.CountedClinic", bot: Bot | None, now: datetime) -> Row:
    sent = message_counts.count(clinic, Measure.SENT_24H, now=now)
    return Row(
        clinic=clinic,
        people=clinic.people,
        bot=f"@{bot.username or bot.telegram_id}" if bot else "",
        sent=capped(sent, message_counts.COUNTED_TO),
        health=None if clinic.archived_at else health.check(now=now, clinic=clinic),
        last_sign_in=clinic.last_sign_in,
    )
