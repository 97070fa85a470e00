"""Rows that tests start from, with names from the tests' stories. Each has working defaults; a test
gives only the values that it is about."""

import datetime as dt
import uuid
from itertools import count
from typing import Final

from click.testing import CliRunner

from companion.cli.clinics import clinic as clinic_command
from companion.clinics.access import Caller
from companion.clinics.models import Bot, Clinic, Member, Role
from companion.listener.models import Conversation, Media, Reply, ReplyKind
from companion.patients.models import Cohort, CohortMember, Consent, Patient
from companion.patients.names import search_key
from companion.schedules.models import Attempt, AttemptOutcome, Lane, Message, Recipient, Schedule, Status, Version

NOW: Final = dt.datetime(2026, 12, 1, 8, 0, tzinfo=dt.UTC)
"""A Tuesday morning; nothing special happens to clocks around it."""

_numbers: Final = count(1)


def a_clinic(**fields: object) -> Clinic:
    """A clinic with a slug of its own, in Berlin."""
    number = next(_numbers)
    values = {
        "slug": f"clinic-{number}",
        "name": "Linden Clinic",
        "timezone": "Europe/Berlin",
        "set_up_at": NOW,
        "created_at": NOW,
    }
    return Clinic.objects.create(**values | fields)


def another_clinic() -> Clinic:
    """Make a clinic by the command, as an operator does."""
    slug = f"other-{next(_numbers)}"
    made = CliRunner().invoke(clinic_command, ["add", slug, "--name", "Other Clinic", "--timezone", "Europe/Berlin"])
    assert made.exit_code == 0, made.output
    return Clinic.objects.get(slug=slug)


def a_bot(clinic: Clinic, *, sandbox: bool = True, **fields: object) -> Bot:
    """The clinic's bot, with a token that looks real."""
    number = 700_000_000 + next(_numbers)
    token = f"{number}:{'A' * 35}"
    values: dict[str, object] = {
        "token": token,
        "telegram_id": number,
        "username": f"linden_{number}_bot",
        "sandbox": sandbox,
    }
    values |= {"numbers_since": NOW - dt.timedelta(days=365)}
    return Bot.objects.create(clinic=clinic, **values | fields)


def a_caller(clinic: Clinic, role: Role = Role.PROVIDER, name: str = "Nora Provider") -> Caller:
    """Make a caller who acts for the clinic, without a Member's row."""
    return Caller(clinic, "member", uuid.uuid4(), name, role)


def a_member(clinic: Clinic, role: Role = Role.PROVIDER, email: str = "") -> Member:
    """A person who can sign in."""
    from django.contrib.auth.models import User

    address = email or f"member-{next(_numbers)}@clinic.example"
    user = User.objects.create_user(username=address, email=address)
    return Member.objects.create(clinic=clinic, user=user, role=role, created_at=NOW, joined_at=NOW)


def a_cohort(clinic: Clinic, name: str = "", *patients: Patient) -> Cohort:
    """A cohort with these patients in it."""
    cohort = Cohort.objects.create(clinic=clinic, name=name or f"Cohort {next(_numbers)}", created_at=NOW)
    CohortMember.objects.bulk_create(
        CohortMember(clinic=clinic, cohort=cohort, patient=patient) for patient in patients
    )
    return cohort


def a_patient(clinic: Clinic, name: str = "Ana Silva", **fields: object) -> Patient:
    """A patient with a Telegram ID who has agreed to be written to."""
    number = next(_numbers)
    values: dict[str, object] = {
        "external_id": f"P-{number:04}",
        "telegram_id": 5_000_000_000 + number,
        "timezone": clinic.timezone,
        "consent": Consent.GIVEN,
        "created_at": NOW,
    }
    values |= fields
    values.setdefault("search", search_key(name, str(values["external_id"])))
    return Patient.objects.create(clinic=clinic, name=name, **values)


def a_schedule(clinic: Clinic, *patients: Patient, text: str = "Take your tablet.", **fields: object) -> Schedule:
    """A schedule for these patients (or `cohort=`), once, tomorrow at nine, with its text; nothing is planned yet."""
    values: dict[str, object] = {
        "starts_at": "2026-12-02T09:00",
        "timezone": "patient",
        "created_by_kind": "member",
        "created_by_name": "Nora Provider",
        "created_at": NOW,
    }
    schedule = Schedule.objects.create(clinic=clinic, **values | fields)
    Version.objects.create(clinic=clinic, schedule=schedule, number=1, text=text, created_at=NOW)
    Recipient.objects.bulk_create(Recipient(clinic=clinic, schedule=schedule, patient=patient) for patient in patients)
    return schedule


def a_conversation(patient: Patient, **fields: object) -> Conversation:
    """The patient's conversation, with something that nobody has read."""
    values = {"telegram_id": patient.telegram_id or 0, "since": NOW, "unread": 1}
    return Conversation.objects.create(clinic_id=patient.clinic_id, patient=patient, **values | fields)


def a_kept_photo(patient: Patient, **fields: object) -> Media:
    """A photo from the patient, which somebody has opened; it is empty."""
    came: dict[str, object] = {"kind": ReplyKind.OTHER, "text": "[photo]", "update_id": next(_numbers), "at": NOW}
    came |= {"patient": patient, "telegram_id": patient.telegram_id or 0}
    values = {"kind": "photo", "name": "", "size": 0, "bot": 1, "type": "image/png", "came_at": NOW, "kept_at": NOW}
    reply = Reply.objects.create(clinic_id=patient.clinic_id, **came)
    return Media.objects.create(clinic_id=patient.clinic_id, reply=reply, **values | fields)


def a_message(patient: Patient, schedule: Schedule | None = None, **fields: object) -> Message:
    """A pending message to this patient, due at NOW: of the schedule's only version, or else a short form."""
    due = fields.get("due_at", NOW)
    assert isinstance(due, dt.datetime)
    values: dict[str, object] = {
        "lane": Lane.REMINDER,
        "status": Status.PENDING,
        "due_at": due,
        "ready_at": due,
        "late_at": due + dt.timedelta(hours=1),
        "created_at": NOW,
    }
    if schedule:
        values |= {"schedule": schedule, "version": schedule.versions.get(), "occurrence": schedule.starts_at}
    else:
        values |= {"text": "Your results are here."}
    return Message.objects.create(clinic_id=patient.clinic_id, patient=patient, **values | fields)


def an_attempt(message: Message, **fields: object) -> Attempt:
    """The Message's only Attempt, begun and ended at NOW with Telegram's yes."""
    values: dict[str, object] = {
        "number": 1,
        "began_at": NOW,
        "ended_at": NOW,
        "outcome": AttemptOutcome.SENT,
        "text": "Hello",
        "telegram_id": 1,
    }
    return Attempt.objects.create(clinic_id=message.clinic_id, message=message, **values | fields)


def a_sent_message(patient: Patient, *, at: dt.datetime = NOW, due_at: dt.datetime | None = None) -> Message:
    """Make a Message that Telegram accepted at this instant, due then or earlier (`due_at`), with its Attempt."""
    message = a_message(patient, due_at=due_at or at, status=Status.SENT, sent_at=at, ended_at=at)
    an_attempt(message, began_at=due_at or at, ended_at=at)
    return message
