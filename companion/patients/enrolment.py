"""Enrolment: a one-time link by which the patient's own Start links the chat. The listener then asks for consent.

Only the hash of the token is stored. A person with the link counts as the patient, so only the asking member gets it.
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
from companion.clinics.members import own_service
from companion.clinics.models import Bot, Clinic, Role
from companion.clinics.refusals import Conflict
from companion.patients import consent_history, enrolment_notes, linking
from companion.patients.card_words import CardWords, card_words
from companion.patients.models import ConsentChange, Enrolment, NoteKind, Patient
from companion.times.walls import local
from companion.webhooks import outbox
from companion.webhooks.models import Kind
from companion.webhooks.outbox import Event

_TOKEN_BYTES: Final = 32
"""A token of 43 characters that a start link may carry (at most 64), with 256 random bits, so nobody can guess it."""
CARDS: Final = 200
"""The most cards at once: 25 sheets."""
VALID_FOR: Final = dt.timedelta(days=7)
SOURCE: Final = "patient: /start by invitation"
CHAT_TAKEN: Final = "enrolment refused: the chat is another patient's"


@dataclass(frozen=True, slots=True)
class Invitation:
    """The link, its QR code (an SVG element for a page), and the instant at which both expire."""

    link: str = field(repr=False)
    qr_svg: str = field(repr=False)
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Card:
    """An invitation to be handed out, with the words printed on it in the patient's language."""

    patient: Patient
    invitation: Invitation
    words: CardWords


class NotLinked(StrEnum):
    """The reasons why a Start by invitation links no chat."""

    UNKNOWN = "unknown"
    """The clinic has no such invitation."""
    USED = "used"
    EXPIRED = "expired"
    TAKEN = "taken"
    """The chat belongs to another patient, and neither patient has a caregiver."""


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The chat is linked to the patient. `again`: this invitation had linked it before."""

    patient: Patient
    again: bool


def invite(caller: Caller, patient: Patient, *, now: dt.datetime) -> Invitation:
    """Make an invitation; earlier invitations stay valid until one of them is used. Raises Conflict without a bot, and
    NotAllowed.
    """
    if patient.left_at is not None:
        raise Conflict("This patient has left the clinic's directory.")
    return invite_many(caller, [patient], now=now)[0].invitation


def invite_many(caller: Caller, patients: Sequence[Patient], *, now: dt.datetime) -> list[Card]:
    """Make an invitation for each patient, in order, without those who left. Raises Conflict without a bot, and
    NotAllowed.
    """
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
        changes = audit.differences({}, {"invitation valid until": expires_at})
        audit.record_many(
            caller, "patient invited", "patient", {patient.id: changes for patient, _ in invited}, now=now
        )
    return [
        _card(caller.clinic, patient, f"https://t.me/{bot.username}?start={token}", expires_at)
        for patient, token in invited
    ]


def _card(clinic: Clinic, patient: Patient, link: str, expires_at: dt.datetime) -> Card:
    code = segno.make(link, error="m", micro=False)
    # Without a fixed size, the code fills its box, also on paper, and is never cut off.
    svg = code.svg_inline(omitsize=True, dark="#000", light="#fff", svgclass=None, lineclass=None)
    until = local(expires_at, patient.timezone).date()
    words = card_words(patient.language, clinic=clinic.name, born=patient.birth_date, until=until)
    return Card(patient, Invitation(link, svg, expires_at), words)


def redeem(clinic: Clinic, token: str, telegram_id: int, *, now: dt.datetime) -> Redeemed | NotLinked:
    """Link the chat to the invited patient; consent must be asked for then. A withdrawal stays until the patient's yes.

    If two chats press Start at the same moment, one is linked. Joins the caller's transaction if there is one.
    """
    with transaction.atomic():
        found = Enrolment.objects.select_for_update().filter(clinic=clinic, token_hash=_hash(token)).first()
        if found is None:
            return NotLinked.UNKNOWN
        patient = Patient.objects.select_for_update().get(clinic=clinic, pk=found.patient_id)
        if found.used_at is not None and patient.telegram_id == telegram_id:
            return Redeemed(patient, again=True)
        why_not = _why_not_linked(found, patient, telegram_id, now)
        if why_not:
            if patient.left_at is None:
                enrolment_notes.tell(patient, NoteKind(why_not.value), now=now)
            return why_not
        _link(found, patient, telegram_id, now=now)
        # The first use ends the other cards that were printed for this patient.
        Enrolment.objects.filter(clinic=clinic, patient=patient, used_at__isnull=True).update(used_at=now)
    return Redeemed(patient, again=False)


def _why_not_linked(found: Enrolment, patient: Patient, telegram_id: int, now: dt.datetime) -> NotLinked | None:
    if found.used_at is not None:
        return NotLinked.USED
    if now >= found.expires_at or patient.left_at is not None:
        return NotLinked.EXPIRED
    if linking.is_taken(patient, telegram_id):
        listener = own_service(patient.clinic, "listener")
        audit.record(listener, CHAT_TAKEN, "patient", patient.id, now=now, changes=audit.NO_VALUE)
        return NotLinked.TAKEN
    return None


def _link(found: Enrolment, patient: Patient, telegram_id: int, *, now: dt.datetime) -> None:
    exchanged = patient.telegram_id is not None and patient.telegram_id != telegram_id
    before = linking.link(patient, telegram_id, now=now)
    Enrolment.objects.filter(pk=found.pk).update(before=before)
    if patient.consent != before["consent"]:
        entry = ConsentChange(
            clinic_id=patient.clinic_id, patient=patient, at=now, consent=patient.consent, source=SOURCE
        )
        consent_history.keep([entry], now=now)
    if exchanged:
        enrolment_notes.tell(patient, NoteKind.EXCHANGED, now=now)
    bot = Bot.objects.filter(clinic_id=patient.clinic_id).first()
    action = bots.ENROLLED_IN_SANDBOX if bot and bot.sandbox else "patient enrolled"
    outbox.tell(patient.clinic_id, Kind.ENROLMENT, [Event(patient.id)], now=now)
    changes = {"telegram_id": audit.CHANGED} if exchanged or before["telegram_id"] is None else audit.NO_VALUE
    audit.record(own_service(patient.clinic, "listener"), action, "patient", patient.id, now=now, changes=changes)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
