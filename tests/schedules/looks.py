"""What a last look finds of a Message that nothing speaks against."""

import datetime as dt
import uuid

from companion.patients.models import Consent
from companion.schedules.last_look import Looked
from companion.schedules.letters import Letter
from companion.schedules.models import IfUnknown, Lane, Quiet, State
from tests.builders import NOW

READY = Looked(
    lane=Lane.REMINDER,
    due_at=NOW,
    ready_at=NOW,
    late_at=NOW + dt.timedelta(hours=1),
    quiet_hours=Quiet.IGNORE,
    tries=0,
    timezone="Europe/Berlin",
    quiet_from=dt.time(21),
    quiet_until=dt.time(8),
    consent_required=False,
    answers_stop_or_start=False,
    by_hand=False,
    has_patient=True,
    consent=Consent.GIVEN,
    consent_asked=False,
    patient_left=False,
    telegram_id=5_000_000_001,
    schedule_state=State.ACTIVE,
    sending_paused=False,
    marked=False,
    newer_is_due=False,
    chat_last_at=None,
)
LETTER = Letter(
    message=uuid.UUID(int=1),
    looked=READY,
    begun_by=None,
    if_unknown=IfUnknown.HOLD,
    resends=0,
    own_text=None,
    version=None,
    buttons=None,
    patient_name="Ana",
    language="en",
    caregiver=False,
    clinic_name="My clinic",
    follow_kind="",
    telegram_message_id=None,
    answer_microseconds=None,
    avoiding=None,
    in_trouble=True,
)
