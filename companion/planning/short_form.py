"""The short form: one text to one patient at one instant, without a Schedule."""

import datetime as dt

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Role
from companion.clinics.refusals import Problem, Refused
from companion.patients.models import Patient
from companion.patients.pausing import is_paused, paused_words
from companion.planning import acts
from companion.schedules.models import LATE_AFTER, Lane, Message, Quiet
from companion.schedules.text import as_typed
from companion.service.wake import ring


@transaction.atomic
def send_one(caller: Caller, patient: Patient, text: str, send_at: dt.datetime | None, *, now: dt.datetime) -> Message:
    """Plan the message. Without `send_at` it is sent at once, at any hour. Raises Refused for wrong values."""
    caller.needs(Role.PROVIDER)
    text, due_at = as_typed(text), send_at or now
    problems = acts.check_send_at(due_at, now, LATE_AFTER)
    message = Message(
        clinic=caller.clinic,
        patient=patient,
        lane=Lane.REMINDER,
        due_at=due_at,
        ready_at=due_at,
        late_at=due_at + LATE_AFTER if not problems else now,
        quiet_hours=Quiet.IGNORE,
        text=text,
        created_by_kind=caller.kind,
        created_by_name=caller.name,
        created_at=now,
    )
    problems += [Problem("text", sentence) for sentence in acts.problems_in(message, text)]
    if is_paused(patient, due_at):
        sentence = f"This patient is {paused_words(patient)}. End the pause first, or choose a later time."
        problems.append(Problem("patient", sentence))
    if problems:
        raise Refused(*problems)
    message.save(force_insert=True)
    audit.record(caller, "message planned", "message", message.pk, now=now, changes=acts.audited_of_new(message))
    ring()
    return message
