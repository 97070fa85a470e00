"""Enrolment: a one-time link by which a patient's own Start links the chat. Asking for consent then is the listener's.

Only the token's hash is kept; who has the link is the patient, so it goes nowhere but to the one who asked for it.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import segno
from django.db import transaction

from companion.clinics import audit, bots
from companion.clinics.access import Caller
from companion.clinics.members import command_line
from companion.clinics.models import Bot, Clinic, Role
from companion.clinics.refusals import Conflict
from companion.patients import enrolment_notes, linking
from companion.patients.card_words import CardWords, card_words
from companion.patients.models import ConsentChange, Enrolment, NoteKind, Patient
from companion.times.walls import local

_TOKEN_BYTES: Final = 32
"""43 characters of those that a start link may carry (64 at most), of 256 random bits: useless to guess."""
CARDS: Final = 200
"""Most cards at once: 25 sheets."""
VALID_FOR: Final = dt.timedelta(days=7)
SOURCE: Final = "patient: /start by invitation"
CHAT_TAKEN: Final = "enrolment refused: the chat is another patient's"


@dataclass(frozen=True, slots=True)
class Invitation:
    """The link, the same as a QR code (an SVG element to stand in a page), and when they end."""

    link: str = field(repr=False)
    qr_svg: str = field(repr=False)
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Card:
    """An invitation to be handed out, with what is printed on it in the patient's language."""

    patient: Patient
    invitation: Invitation
    words: CardWords


class Turned(StrEnum):
    """Why a Start by invitation links nobody."""

    UNKNOWN = "unknown"
    """No invitation of this clinic."""
    USED = "used"
    EXPIRED = "expired"
    TAKEN = "taken"
    """The chat is another patient's, and neither is reached on a caregiver's phone."""


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The chat is the patient's now. `again`: it was already, by the same invitation."""

    patient: Patient
    again: bool


def invite(caller: Caller, patient: Patient, *, now: dt.datetime) -> Invitation:
    """A new invitation; earlier ones stay good until one is used. Raises Conflict without a bot, and NotAllowed."""
    if patient.left_at is not None:
        raise Conflict("This patient has left the clinic's directory.")
    return invite_many(caller, [patient], now=now)[0].invitation


def invite_many(caller: Caller, patients: Sequence[Patient], *, now: dt.datetime) -> list[Card]:
    """A new invitation for each, in their order; those who left get none. Raises Conflict without a bot, NotAllowed."""
    caller.needs(Role.PROVIDER)
    bot = Bot.objects.filter(clinic=caller.clinic).first()
    if bot is None or not bot.username:
        raise Conflict("No bot is connected, so there is nothing to invite to. An admin connects one in Settings.")
    invited = [(patient, secrets.token_urlsafe(_TOKEN_BYTES)) for patient in patients if patient.left_at is None]
    expires_at = now + VALID_FOR
    with transaction.atomic():
        Enrolment.objects.bulk_create(
            Enrolment(
                clinic=caller.clinic, patient=patient, token_hash=_hash(token), created_at=now, expires_at=expires_at
            )
            for patient, token in invited
        )
        for patient, _ in invited:
            audit.record(caller, "patient invited", "patient", patient.id, now=now)
    return [
        _card(caller.clinic, patient, f"https://t.me/{bot.username}?start={token}", expires_at)
        for patient, token in invited
    ]


def _card(clinic: Clinic, patient: Patient, link: str, expires_at: dt.datetime) -> Card:
    code = segno.make(link, error="m", micro=False)
    # Without a size of its own it is as large as the place where it stands, on paper too, and never cut off.
    svg = code.svg_inline(omitsize=True, dark="#000", light="#fff", svgclass=None, lineclass=None)
    until = local(expires_at, patient.timezone).date()
    words = card_words(patient.language, clinic=clinic.name, born=patient.birth_date, until=until)
    return Card(patient, Invitation(link, svg, expires_at), words)


def redeem(clinic: Clinic, token: str, telegram_id: int, *, now: dt.datetime) -> Redeemed | Turned:
    """Links the chat to the invited patient, whose consent is then asked for. A withdrawn one stays so until the yes.

    Of two who press Start at one moment one gets in. Works in the caller's transaction where there is one.
    """
    with transaction.atomic():
        found = Enrolment.objects.select_for_update().filter(clinic=clinic, token_hash=_hash(token)).first()
        if found is None:
            return Turned.UNKNOWN
        patient = Patient.objects.select_for_update().get(clinic=clinic, pk=found.patient_id)
        if found.used_at is not None and patient.telegram_id == telegram_id:
            return Redeemed(patient, again=True)
        turned = _turned(found, patient, telegram_id, now)
        if turned:
            if patient.left_at is None:
                enrolment_notes.tell(patient, NoteKind(turned.value), now=now)
            return turned
        _link(found, patient, telegram_id, now=now)
        # The other cards that were printed for this patient end with the one that was used.
        Enrolment.objects.filter(clinic=clinic, patient=patient, used_at__isnull=True).update(used_at=now)
    return Redeemed(patient, again=False)


def _turned(found: Enrolment, patient: Patient, telegram_id: int, now: dt.datetime) -> Turned | None:
    if found.used_at is not None:
        return Turned.USED
    if now >= found.expires_at or patient.left_at is not None:
        return Turned.EXPIRED
    if linking.is_taken(patient, telegram_id):
        audit.record(command_line(patient.clinic), CHAT_TAKEN, "patient", patient.id, now=now)
        return Turned.TAKEN
    return None


def _link(found: Enrolment, patient: Patient, telegram_id: int, *, now: dt.datetime) -> None:
    exchanged = patient.telegram_id is not None and patient.telegram_id != telegram_id
    before = linking.link(patient, telegram_id, now=now)
    Enrolment.objects.filter(pk=found.pk).update(before=before)
    if patient.consent != before["consent"]:
        ConsentChange.objects.create(
            clinic_id=patient.clinic_id, patient=patient, at=now, consent=patient.consent, source=SOURCE
        )
    if exchanged:
        enrolment_notes.tell(patient, NoteKind.EXCHANGED, now=now)
    bot = Bot.objects.filter(clinic_id=patient.clinic_id).first()
    action = bots.ENROLLED_IN_SANDBOX if bot and bot.sandbox else "patient enrolled"
    audit.record(command_line(patient.clinic), action, "patient", patient.id, now=now)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
