"""The facts about a Message that nothing speaks against."""

import datetime as dt
import uuid

from companion.delivery.facts import Facts
from companion.patients.models import Consent
from companion.schedules.models import IfUnknown, Lane, Quiet, State
from tests.builders import NOW

READY = Facts(
    message=uuid.UUID(int=1),
    schedule=uuid.UUID(int=2),
    patient=uuid.UUID(int=3),
    lane=Lane.REMINDER,
    due_at=NOW,
    ready_at=NOW,
    late_at=NOW + dt.timedelta(hours=1),
    quiet_hours=Quiet.IGNORE,
    if_unknown=IfUnknown.HOLD,
    tries=0,
    resends=0,
    by_hand=False,
    answers_stop_or_start=False,
    begun_by=None,
    follow_kind="",
    telegram_message_id=None,
    own_text=None,
    version=None,
    buttons=None,
    telegram_id=5_000_000_001,
    clinic_name="My clinic",
    quiet_from=dt.time(21),
    quiet_until=dt.time(8),
    consent_required=False,
    sending_paused=False,
    timezone="Europe/Berlin",
    has_patient=True,
    patient_name="Ana",
    language="en",
    caregiver=False,
    consent=Consent.GIVEN,
    consent_asked=False,
    patient_left=False,
    paused_until=None,
    in_trouble=True,
    schedule_state=State.ACTIVE,
    answer_microseconds=None,
    avoid_weekends=False,
    avoid_holidays=False,
    avoid_closed_days=False,
    when_avoided="skip",
    occurrence="2026-12-01T09:00",
    marked=False,
    newer_is_due=False,
    chat_last_at=None,
    chat_opted_out=False,
    bot_refused=False,
)
