"""The words of a Message: the text that the patient gets, and why a Message won't arrive, failed or was cancelled.
Reads only."""

import datetime as dt
import uuid
from collections.abc import Collection, Sequence

from companion.clinics.models import Clinic
from companion.patients.models import Consent
from companion.patients.pausing import is_paused, paused_words
from companion.patients.reach import BY_CODE
from companion.schedules import text
from companion.schedules.models import Attempt, Message, Schedule, State, Status, Version
from companion.schedules.reasons import Reason, sentence


def template_of(message: Message) -> str:
    """The text with its placeholders, which an edit starts from."""
    if message.text is not None:
        return message.text
    return message.version.text if message.version else ""


def newest_version(schedule: Schedule) -> Version:
    """The Schedule's present wording."""
    return schedule.versions.latest("number")


def newest_versions(clinic: Clinic, schedules: Collection[uuid.UUID]) -> dict[uuid.UUID, Version]:
    """The present wording of each Schedule."""
    found = Version.objects.filter(clinic=clinic, schedule__in=schedules).order_by("number")
    return {version.schedule_id: version for version in found}


def texts_of(messages: Sequence[Message]) -> dict[uuid.UUID, str]:
    """The text of each Message as the patient got it, or as the patient would get it at the due instant."""
    left = [message.id for message in messages if message.status == Status.SENT or message.open_attempt_id]
    clinics = {message.clinic_id for message in messages}
    attempts = Attempt.objects.filter(clinic_id__in=clinics, message_id__in=left).order_by("number") if left else []
    sent = {attempt.message_id: attempt.text for attempt in attempts}
    return {message.id: sent.get(message.id) or filled(message, at=message.due_at) for message in messages}


def text_of(message: Message) -> str:
    """The text of this Message, as `texts_of` gives it."""
    return texts_of([message])[message.id]


def filled(message: Message, *, at: dt.datetime, template: str | None = None) -> str:
    """The text (or another `template`) as the patient would get it at this instant."""
    template = template_of(message) if template is None else template
    return text.fill(template, text.reader_of(message.patient, message.clinic), at)


def wont_arrive(message: Message, clinic: Clinic) -> str:
    """Return why a pending Message can't arrive at present ("Won't arrive: opted out"); empty if it can."""
    patient = message.patient
    if message.status != Status.PENDING or patient is None:
        return ""
    if patient.left_at:
        return _wont(Reason.PATIENT_LEFT)
    if message.follows_id and message.version and message.version.schedule.state == State.CANCELLED:
        return _wont(Reason.SCHEDULE_ENDED)
    if patient.consent == Consent.WITHDRAWN and not message.answers_stop_or_start:
        return _wont(Reason.OPTED_OUT)
    if is_paused(patient, message.due_at):
        return f"Won't arrive: {paused_words(patient)}"
    if clinic.consent_required and patient.consent != Consent.GIVEN:
        return _wont(Reason.NO_CONSENT)
    if patient.telegram_id is None and message.telegram_id is None:
        return _wont(Reason.NO_TELEGRAM_ID)
    # Telegram has refused the patient's chat. A due Message is still tried once.
    return f"Probably won't arrive: {BY_CODE[patient.trouble].what}" if patient.trouble in BY_CODE else ""


def why_of(message: Message) -> str:
    """The reason why a Message failed or was cancelled, and what to do; empty without a reason."""
    if not message.reason:
        return ""
    no_trace = message.no_trace_at is not None
    return sentence(message.reason, held_by_restore=message.held_by_restore, no_trace=no_trace)


def _wont(reason: Reason) -> str:
    return f"Won't arrive: {reason.short[0].lower()}{reason.short[1:]}"
