"""Answers: what the listener has to say to a chat. It sends nothing itself; an answer is a Message like any other."""

import datetime as dt

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.schedules.models import Lane, Message, Quiet
from companion.service.wake import ring

LATE_AFTER = dt.timedelta(hours=1)


def answer(
    clinic: Clinic,
    *,
    telegram_id: int,
    patient: Patient | None,
    text: str,
    now: dt.datetime,
    buttons: list[list[dict[str, str]]] | None = None,
    stop_or_start: bool = False,
) -> Message:
    """Queues an answer in the caller's transaction, to leave at once.

    `text` has placeholders like any text. `stop_or_start`: it answers the patient's own STOP or Start, the one thing
    that a withdrawn consent lets pass. `buttons` are Telegram's rows of {text, callback_data}.
    """
    message = Message.objects.create(
        clinic=clinic,
        patient=patient,
        telegram_id=telegram_id,
        lane=Lane.ANSWER if patient else Lane.STRANGER,
        due_at=now,
        ready_at=now,
        late_at=now + LATE_AFTER,
        quiet_hours=Quiet.IGNORE,
        text=text,
        buttons=buttons,
        answers_stop_or_start=stop_or_start,
        created_at=now,
    )
    ring()
    return message
