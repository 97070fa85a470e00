"""Fill a database: one clinic, many patients, and millions of Messages by single statements. Called by inside.py.

Planned Messages are due in two hours or later, so that no dispatcher touches them while a bench runs.
"""

import datetime as dt
import time

from django.db import connection, transaction

from bench.inside import Figures
from companion.cli import prepare
from companion.clinics.clinics import first_clinic
from companion.clinics.models import Bot, Clinic
from companion.clinics.sealed import seal
from companion.panel import hour_counts
from companion.patients.models import Consent, Patient
from companion.schedules.models import Lane, Message, Schedule, State, Status, Version
from companion.service.wake import ring
from companion.times.workdays import releases
from companion.webhooks.models import Kind, Webhook, Wish

TEXT = "Dear {first_name}, please take your tablet now ({time}). {clinic}"
_TOKEN = "700000001:" + "A" * 35
_BEGIN_AFTER = 2 * 3600
_SPREAD = 46 * 3600
_PENDING, _ENDED = 0x0A, 0x0B

_PATIENTS = """
INSERT INTO patients_patient (id, clinic_id, external_id, name, search, phone, telegram_id, caregiver, timezone,
    language, consent, consent_before_stop, trouble, created_at)
SELECT {id}, {clinic}, 'P-' || i, {name} || ' No' || i, lower({name}) || ' no' || i || ' p-' || i, '',
    5000000000 + i, '', 'Europe/Berlin', 'en', 'given', '', '', {now} FROM {numbers}
"""
_MESSAGES = """
INSERT INTO schedules_message (id, clinic_id, schedule_id, version_id, patient_id, occurrence, lane, status, reason,
    due_at, ready_at, late_at, quiet_hours, if_unknown, by_hand, answers_stop_or_start, created_by_kind,
    created_by_name, created_at, tries, resends, ended_at)
SELECT {id}, {clinic}, {schedule}, {version}, {patient}, '{year}-01-' || (10 + i / {patients}) || 'T09:00', 1,
    {status}, {reason}, {due}, {due}, {due}, 'ignore', 'hold', {no}, {no}, '', '', {now}, {tries}, 0, {ended}
FROM {numbers}
"""
_ATTEMPTS = """
INSERT INTO schedules_attempt (id, clinic_id, message_id, number, began_at, ended_at, outcome, text, telegram_id,
    telegram_message_id, note)
SELECT m.id, m.clinic_id, m.id, 1, m.due_at, m.ended_at, 'sent', %s, p.telegram_id, 1, ''
FROM schedules_message m JOIN patients_patient p ON p.id = m.patient_id WHERE m.status = 'sent'
"""


def begin(pending: int = 0) -> None:
    """Make the schema, a clinic with a bot, and a Schedule whose Messages the other functions make.

    The Schedule has ended, so that the Planner leaves its Messages alone.
    """
    del pending
    prepare.migrate()
    now = _now()
    clinic = first_clinic(now=now)
    # Otherwise the dispatcher's start would replan, and the Planner would remove the rows below.
    Clinic.objects.filter(pk=clinic.pk).update(planned_with=releases())
    Bot.objects.create(clinic=clinic, token=_TOKEN, telegram_id=700000001, username="bench_bot", sandbox=True)
    schedule = Schedule.objects.create(
        clinic=clinic, starts_at="2030-01-01T09:00", timezone="patient", created_by_kind="member",
        created_by_name="Bench", created_at=now, state=State.ENDED,
    )  # fmt: skip
    Version.objects.create(clinic=clinic, schedule=schedule, number=1, text=TEXT, created_at=now)


def webhook() -> None:
    """Add a webhook for all sent messages that makes no calls for a day."""
    clinic, now = Clinic.objects.get(), _now()
    rests = now + dt.timedelta(days=1)
    made = Webhook.objects.create(clinic=clinic, url="https://a.example/", secret="", created_at=now, rests_until=rests)
    Wish.objects.create(clinic=clinic, webhook=made, kind=Kind.SENT)


def fill(pending: int) -> None:
    """Make this many pending Messages, ten for each patient, and a fifth of that number that ended last month, with
    Attempts."""
    patients = max(pending // 10, 1000)
    fill_patients(patients)
    moment = int(time.time())
    ahead = _instant(f"{moment + _BEGIN_AFTER} + (i * 7919) %% {_SPREAD}")
    behind = _instant(f"{moment - 3600} - (i * 7919) %% {30 * 86400}")
    sent, failed = "i %% 20 < 16", "i %% 20 < 19"
    with transaction.atomic():
        _messages(
            pending, patients, _PENDING, year=2030, status="'pending'", reason="''", due=ahead, tries=0, ended="NULL"
        )
        _messages(
            pending // 5, patients, _ENDED, year=2029, due=behind, tries=1, ended=behind,
            status=f"CASE WHEN {sent} THEN 'sent' WHEN {failed} THEN 'failed' ELSE 'cancelled' END",
            reason=f"CASE WHEN {sent} THEN '' WHEN {failed} THEN 'too_late' ELSE 'by_person' END",
        )  # fmt: skip
        _run(_ATTEMPTS, seal("Dear Ana, please take your tablet now.", "schedules.Attempt.text"))
    # The Control Panel would have stored these counts hour by hour.
    hour_counts.count_past_hours(Clinic.objects.get(), now=_now())
    analysed()


def fill_patients(patients: int) -> None:
    """Make this many patients of the clinic, numbered from 0."""
    with transaction.atomic():
        _run(
            _PATIENTS.format(
                id=_id("0", "i"),
                clinic=_quoted(Clinic.objects.get().id.hex),
                name="CASE i %% 4 WHEN 0 THEN 'Ana' WHEN 1 THEN 'Ben' WHEN 2 THEN 'Chi' ELSE 'Eva' END",
                now=_instant(str(int(time.time()))),
                numbers=_numbers(patients),
            )
        )


def due(count: int, first: float, gap: float = 0.0, chats_from: int = 9_000_000_000) -> Figures:
    """Make this many Messages to as many new patients: the first due at `first` (Unix time), each `gap` seconds later
    than the last. Their chats are numbered from `chats_from` in the same order."""
    schedule = Schedule.objects.select_related("clinic").get()
    version, now = schedule.versions.get(), _now()
    instants = [dt.datetime.fromtimestamp(first + gap * number, dt.UTC) for number in range(count)]
    patients = [
        Patient(
            clinic=schedule.clinic, external_id=f"D-{chats_from + number}", name=f"Dov Due{number}", search="dov",
            telegram_id=chats_from + number, timezone="Europe/Berlin", consent=Consent.GIVEN, created_at=now,
        )
        for number in range(count)
    ]  # fmt: skip
    messages = [
        Message(
            clinic=schedule.clinic, schedule=schedule, version=version, patient=patient, lane=Lane.REMINDER,
            occurrence="2029-12-01T09:00", due_at=at, ready_at=at, late_at=at + dt.timedelta(hours=12), created_at=now,
        )
        for patient, at in zip(patients, instants, strict=True)
    ]  # fmt: skip
    with transaction.atomic():
        Patient.objects.bulk_create(patients, batch_size=1000)
        Message.objects.bulk_create(messages, batch_size=1000)
        ring()
    analysed()
    return {}


def bring_forward() -> Figures:
    """Make all pending Messages due now, and wake the dispatcher."""
    now = _now()
    late_at = now + dt.timedelta(hours=12)
    with transaction.atomic():
        Message.objects.filter(status=Status.PENDING).update(due_at=now, ready_at=now, late_at=late_at)
    analysed()
    ring()
    return {}


def _messages(count: int, patients: int, kind: int, *, year: int, **columns: object) -> None:
    schedule = Schedule.objects.get()
    _run(
        _MESSAGES.format(
            id=_id(str(kind), "i"),
            clinic=_quoted(schedule.clinic_id.hex),
            schedule=_quoted(schedule.id.hex),
            version=_quoted(schedule.versions.get().id.hex),
            patient=_id("0", f"i %% {patients}"),
            patients=patients,
            year=year,
            no="false",
            now=_instant(str(int(time.time()))),
            numbers=_numbers(count),
            **columns,
        )
    )


def analysed() -> None:
    """Update the statistics of the database's query planner."""
    # As autovacuum would do soon. SQLite does nothing like it, so its plans must be good without statistics.
    if connection.vendor == "postgresql":
        _run("VACUUM ANALYZE")


def _run(statement: str, *parameters: bytes) -> None:
    with connection.cursor() as cursor:
        # Always with parameters, so that %% means the same in each statement.
        cursor.execute(statement, list(parameters))


def _numbers(count: int) -> str:
    """A FROM item of the numbers i from 0 on, on both databases."""
    numbers = f"SELECT CAST(0 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1}"
    return f"(WITH RECURSIVE n(i) AS ({numbers}) SELECT i FROM n) AS numbers"


def _id(kind: str, number: str) -> str:
    """A UUID in the form of version 7, made of two numbers, as the ORM stores it."""
    if connection.vendor == "postgresql":
        return f"(lpad(to_hex({kind}), 8, '0') || '000070008000' || lpad(to_hex({number}), 12, '0'))::uuid"
    return f"printf('%%08x000070008000%%012x', {kind}, {number})"


def _quoted(key: str) -> str:
    return f"'{key}'::uuid" if connection.vendor == "postgresql" else f"'{key}'"


def _instant(seconds: str) -> str:
    """The instant of so many seconds since 1970, as the ORM stores it."""
    if connection.vendor == "postgresql":
        return f"to_timestamp({seconds})"
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%S', {seconds}, 'unixepoch')"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
