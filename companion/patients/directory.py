"""Add and change one patient. Imports of many patients (importing.py) use the same checks.

A change that matters for plans leaves a Mark for the Planner; nothing is planned here.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from django.db import IntegrityError, transaction

from companion.clinics import audit, marks, opt_outs
from companion.clinics.access import Caller
from companion.clinics.models import Bot, Clinic, MarkKind, Role
from companion.clinics.refusals import Problem, Refused
from companion.patients import chats, cohorts, consent_history, former_chats, former_patients, report_lines
from companion.patients.fields import Given, read_given
from companion.patients.models import Cohort, Consent, ConsentChange, Patient
from companion.patients.names import search_key
from companion.service.wake import ring
from companion.telegram.limits import PHONE_SENTENCE, is_phone_number

COLUMNS: Final = (
    "external_id",
    "external_id_written",
    "name",
    "search",
    "birth_date",
    "phone",
    "telegram_id",
    "caregiver",
    "timezone",
    "language",
    "consent",
    "consent_before_stop",
    "withdrawal",
    "consent_asked_at",
    "trouble",
    "trouble_at",
    "left_at",
)
"""The columns that the directory may change."""
_VEILED: Final = ("name", "external_id", "birth_date", "phone", "telegram_id", "caregiver", "consent")
AUDITED: Final = (*_VEILED, "timezone", "language", "left_at")
"""The columns whose change the audit trail tells of; of the veiled columns only that they changed."""


@dataclass(frozen=True, slots=True)
class PatientValues:
    """A patient's own fields, complete and checked."""

    external_id: str
    external_id_written: str
    name: str
    telegram_id: int | None
    birth_date: dt.date | None
    phone: str
    caregiver: str
    timezone: str
    language: str
    cohorts: tuple[str, ...]


def read_patient(
    clinic: Clinic, values: Mapping[str, object], *, existing: Patient | None, now: dt.datetime
) -> PatientValues:
    """Check the values. Fields that they leave out come from `existing`, or from the clinic's defaults.

    Raises Refused with every wrong field, also if another patient has the external id or the Telegram ID.
    """
    held = tuple(existing.cohorts.order_by("name").values_list("name", flat=True)) if existing else ()
    read = completed(clinic, read_given(values, today=latest_date(now)), existing=existing, cohorts=held)
    problems = _taken(clinic, read, existing)
    if problems:
        raise Refused(*problems)
    return read


def completed(clinic: Clinic, given: Given, *, existing: Patient | None, cohorts: tuple[str, ...]) -> PatientValues:
    """Complete the given values from `existing` (whose cohorts are `cohorts`) or from the clinic's defaults.

    Raises Refused if a new patient lacks a required field.
    """
    base: Given = {
        "telegram_id": existing.telegram_id if existing else None,
        "birth_date": existing.birth_date if existing else None,
        "phone": existing.phone if existing else "",
        "caregiver": existing.caregiver if existing else "",
        "timezone": existing.timezone if existing else clinic.timezone,
        "language": existing.language if existing else clinic.language,
        "cohorts": cohorts,
        "external_id_written": "",
    }
    if existing:
        base["external_id"], base["name"] = existing.external_id, existing.name
    whole = base | given
    if existing and existing.external_id == whole["external_id"]:
        # A file without the invisible characters must not erase the source's own spelling of the id.
        whole["external_id_written"] = existing.external_id_written or whole["external_id_written"]
    missing = [
        Problem(field, "This is required for a new patient.") for field in ("external_id", "name") if field not in whole
    ]
    if missing:
        raise Refused(*missing)
    number = whole["telegram_id"]
    if number is not None and {"telegram_id", "phone"} & set(given) and is_phone_number(number, whole["phone"]):
        raise Refused(Problem("telegram_id", PHONE_SENTENCE))
    return PatientValues(**whole)


def add(caller: Caller, values: Mapping[str, object], *, now: dt.datetime) -> Patient:
    """Add a new patient. Raises Refused, and NotAllowed for a viewer."""
    caller.needs(Role.PROVIDER)
    with _unless_taken(), transaction.atomic():
        read = read_patient(caller.clinic, values, existing=None, now=now)
        patient = Patient(clinic=caller.clinic, created_at=now)
        changes = put(patient, read, opted_out=_opted_out(caller.clinic, read), source=source_of(caller), now=now)
        patient.save(force_insert=True)
        former_patients.forget_erasure(caller.clinic, patient.external_id)
        consent_history.keep(changes, now=now)
        former_chats.tell_of_given([patient], now=now)
        if read.cohorts:
            cohorts.set_cohorts(patient, cohorts.named(caller, read.cohorts, now=now))
            marks.leave(caller.clinic, MarkKind.PATIENT, patient.id, now=now)
            ring()
        audited = audited_changes({}, audit.columns(patient, AUDITED), moved=bool(read.cohorts))
        audit.record(caller, "patient added", "patient", patient.id, now=now, changes=audited)
    return patient


def change(caller: Caller, patient: Patient, values: Mapping[str, object], *, now: dt.datetime) -> Patient:
    """Change the named fields of the patient; all others stay. Raises Refused, and NotAllowed for a viewer."""
    caller.needs(Role.PROVIDER)
    with _unless_taken(), transaction.atomic():
        current = Patient.objects.select_for_update().get(clinic=caller.clinic, pk=patient.pk)
        zone, held = current.timezone, set(current.cohorts.values_list("name", flat=True))
        chat, agreed = current.telegram_id, current.consent == Consent.GIVEN
        was = audit.columns(current, AUDITED)
        read = read_patient(caller.clinic, values, existing=current, now=now)
        changes = put(current, read, opted_out=_opted_out(caller.clinic, read), source=source_of(caller), now=now)
        current.save(update_fields=COLUMNS)
        consent_history.keep(changes, now=now)
        if was["external_id"] != current.external_id:
            report_lines.rename(caller.clinic, str(was["external_id"]), current.external_id)
        if other_chat := chat != current.telegram_id:
            if chat is not None:
                former_chats.keep([former_chats.left(current, chat, agreed=agreed, now=now)])
            former_chats.tell_of_given([current], now=now)
        if moved := held ^ set(read.cohorts):
            cohorts.set_cohorts(current, cohorts.named(caller, read.cohorts, now=now))
            touched = Cohort.objects.filter(clinic=caller.clinic, name__in=moved).values_list("id", flat=True)
            renewed = {cohort: {"patients": audit.CHANGED} for cohort in touched}
            audit.record_many(caller, "a patient's cohorts changed", "cohort", renewed, now=now)
        if zone != current.timezone or moved or other_chat:
            marks.leave(caller.clinic, MarkKind.PATIENT, current.id, now=now)
            ring()
        audited = audited_changes(was, audit.columns(current, AUDITED), moved=bool(moved))
        audit.record(caller, "patient changed", "patient", current.id, now=now, changes=audited)
    return current


def audited_changes(before: Mapping[str, object], after: Mapping[str, object], *, moved: bool) -> audit.Changes:
    """Return a patient's change as the audit trail has it. `moved`: the cohorts changed, too."""
    known = ({name: row[name] for name in AUDITED if name in row} for row in (before, after))
    changes = audit.differences(*known, veiled=_VEILED)
    return {**changes, "cohorts": audit.CHANGED} if moved else changes


def put(
    patient: Patient, read: PatientValues, *, opted_out: bool, source: str, now: dt.datetime
) -> list[ConsentChange]:
    """Set the columns without saving, and return the entries for the consent's history.

    `opted_out`: whether the chat of the Telegram ID in `read` has opted out.
    """
    before = patient.consent
    if patient.telegram_id != read.telegram_id:
        chats.leave(patient)
    if opted_out:
        chats.follow_opt_out(patient)
    patient.external_id, patient.name = read.external_id, read.name
    patient.external_id_written = read.external_id_written
    patient.search = search_key(read.name, read.external_id)
    patient.telegram_id, patient.caregiver = read.telegram_id, read.caregiver
    patient.birth_date, patient.phone = read.birth_date, read.phone
    patient.timezone, patient.language = read.timezone, read.language
    if patient.consent == before:
        return []
    source = chats.SOURCE if patient.consent == Consent.WITHDRAWN else source
    return [ConsentChange(clinic_id=patient.clinic_id, patient=patient, at=now, consent=patient.consent, source=source)]


def source_of(caller: Caller) -> str:
    """The name of the person or program that changed a patient, for the consent's history."""
    return f"{caller.kind}: {caller.name}"[:64]


def own_bots(clinic: Clinic) -> frozenset[int]:
    """The Telegram IDs of the clinic's own bots. No patient can have such an ID."""
    return frozenset(Bot.objects.filter(clinic=clinic).values_list("telegram_id", flat=True))


def refuse_a_bot(telegram_id: int | None, bots: frozenset[int]) -> None:
    """Raise Refused if this is the ID of one of these bots."""
    if telegram_id in bots:
        raise Refused(Problem("telegram_id", TELEGRAM_ID_OF_OUR_BOT))


def refuse_a_lookalike(given: Given, existing: Patient) -> None:
    """Raise Refused if the id looks like the existing patient's id but differs from it."""
    written = given["external_id_written"]
    if written not in ("", existing.external_id_written):
        sentence = EXTERNAL_ID_LOOKS_TAKEN.format(external_id=existing.external_id)
        raise Refused(Problem("external_id", sentence))


def latest_date(now: dt.datetime) -> dt.date:
    """Today's date in the world's easternmost zone. A later birth date is wrong everywhere."""
    return (now + dt.timedelta(hours=14)).date()


TELEGRAM_ID_TAKEN: Final = (
    "Another patient ({external_id}) has this Telegram ID. "
    "If both are reached on one phone, name the caregiver whose phone it is."
)
TELEGRAM_ID_OF_OUR_BOT: Final = (
    "This is the number of your own bot. Enter the patient's Telegram ID, or invite the patient by a link to get it."
)
EXTERNAL_ID_TAKEN: Final = "Another patient has this id already."
EXTERNAL_ID_MERGED: Final = "The patient with this id was merged into another, whose id is {external_id}."
EXTERNAL_ID_LOOKS_TAKEN: Final = (
    "This id differs from the known id {external_id} only by characters that nobody sees. Remove them, "
    "or give the patient another id."
)


def _taken(clinic: Clinic, read: PatientValues, existing: Patient | None) -> list[Problem]:
    others = Patient.objects.filter(clinic=clinic)
    if existing:
        others = others.exclude(pk=existing.pk)
    problems = []
    if read.telegram_id in own_bots(clinic):
        problems.append(Problem("telegram_id", TELEGRAM_ID_OF_OUR_BOT))
    if others.filter(external_id=read.external_id).exists():
        sentence = EXTERNAL_ID_LOOKS_TAKEN.format(external_id=read.external_id)
        problems.append(Problem("external_id", sentence if read.external_id_written else EXTERNAL_ID_TAKEN))
    elif not existing or existing.external_id != read.external_id:
        survivor = former_patients.survivor_of(clinic, read.external_id)
        # The next import of this id means the remaining patient, and would overwrite any other patient with this id.
        if survivor and not (existing and survivor.pk == existing.pk):
            problems.append(Problem("external_id", EXTERNAL_ID_MERGED.format(external_id=survivor.external_id)))
    if read.telegram_id is not None and not read.caregiver:
        owner = others.filter(telegram_id=read.telegram_id, caregiver="").first()
        if owner:
            problems.append(Problem("telegram_id", TELEGRAM_ID_TAKEN.format(external_id=owner.external_id)))
    return problems


def _opted_out(clinic: Clinic, read: PatientValues) -> bool:
    return opt_outs.has_stopped(clinic, read.telegram_id)


@contextmanager
def _unless_taken() -> Iterator[None]:
    """Raise Refused for the second of two requests that give the same id at the same moment."""
    try:
        yield
    except IntegrityError as error:
        field = "telegram_id" if "telegram_id" in str(error) else "external_id"
        raise Refused(
            Problem(field, "Somebody else gave this id to another patient just now. Look again, then save.")
        ) from None
