"""A clinic with a row of each kind that an address can name, and the contents of all tables, to see if any changed.

Every page and every call of the API is tried on these rows: by roles that aren't allowed to, and by another clinic.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.auth.models import User

from companion.clinics.api_keys import make_key
from companion.clinics.models import Clinic, Role
from companion.patients.models import EnrolmentNote, NoteKind, Patient
from companion.patients.sources.models import PatientSource, SourceKind, SyncRun
from companion.sandbox import phone as sandbox
from companion.schedules.models import Status
from companion.schedules.reasons import Reason
from companion.webhooks.models import Delivery, Kind, Webhook
from tests.builders import (
    NOW,
    a_bot,
    a_cohort,
    a_conversation,
    a_kept_photo,
    a_member,
    a_message,
    a_patient,
    a_schedule,
    another_clinic,
)

_OF_CALLS: Final = frozenset({"api.KeyUse", "clinics.KnownDevice"})
"""Tables that count the calls themselves."""
_SOURCE: Final = '{"path": "patients.csv"}'
_WHEN_USED: Final = frozenset({"last_used_at", "last_login"})


@dataclass(frozen=True, slots=True)
class Furnished:
    """A clinic, and the ids of its rows by the name that pages' addresses give them."""

    clinic: Clinic
    ids: Mapping[str, object]


def furnished() -> Furnished:
    """Make a clinic, as an operator does, with a row of each kind."""
    clinic = another_clinic()
    patient = a_patient(clinic, telegram_id=_a_phone_of_its_bot(clinic))
    return Furnished(clinic, _of_patient(patient) | _of_directory(patient) | _of_settings(clinic))


def _a_phone_of_its_bot(clinic: Clinic) -> int:
    token = sandbox.make_bot("Linden", f"{clinic.slug}_bot")
    bot = sandbox.bot_of(token)
    assert bot is not None
    a_bot(clinic, token=token, telegram_id=bot.telegram_id)
    return sandbox.new_phone(bot, "Ana").telegram_id


def _of_patient(patient: Patient) -> dict[str, object]:
    clinic = patient.clinic
    daily = a_schedule(clinic, patient, starts_at="2035-12-02T09:00", recurrence={"frequency": "daily"})
    return {
        "patient_id": patient.id,
        "message_id": a_message(patient).id,
        "unknown": a_message(patient, status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN, ended_at=NOW).id,
        "schedule_id": daily.id,
        "conversation_id": a_conversation(patient).id,
        "media_id": a_kept_photo(patient).id,
        "telegram_id": patient.telegram_id,
    }


def _of_directory(patient: Patient) -> dict[str, object]:
    clinic, kind = patient.clinic, SourceKind.CSV
    note = EnrolmentNote.objects.create(clinic=clinic, patient=patient, kind=NoteKind.EXPIRED, at=NOW)
    run = SyncRun.objects.create(clinic=clinic, kind=kind, whole=True, began_at=NOW, reasons="[]")
    hour = dt.timedelta(hours=1)
    source = PatientSource.objects.create(
        clinic=clinic, kind=kind, settings=_SOURCE, every=hour, next_at=NOW, created_at=NOW
    )
    return {"cohort": a_cohort(clinic, "", patient).id, "note_id": note.id, "run_id": run.id, "source": source.id}


def _of_settings(clinic: Clinic) -> dict[str, object]:
    member = a_member(clinic)
    webhook = Webhook.objects.create(clinic=clinic, url="https://a.example/", secret="whsec_AAAA", created_at=NOW)
    delivery = Delivery.objects.create(
        clinic=clinic, webhook=webhook, kind=Kind.ALERT, subject=uuid.uuid4(), at=NOW, since=NOW
    )
    return {
        "member_id": member.id,
        "key": member.id,
        "key_id": make_key(clinic, "a program", Role.ADMIN, now=NOW)[0].id,
        "webhook_id": webhook.id,
        "delivery_id": delivery.id,
        "pk": Authenticator.objects.create(user=member.user, type="webauthn", data={"name": "Mine"}).pk,
    }


def contents() -> dict[str, list[str]]:
    """All rows of all our tables and of the accounts, without the instants of their last use."""
    models = [model for model in apps.get_models() if model.__module__.startswith("companion.")]
    found = {}
    for model in [*models, User, Authenticator]:
        if model._meta.label not in _OF_CALLS:
            names = [column.attname for column in model._meta.concrete_fields if column.attname not in _WHEN_USED]
            found[model._meta.label] = sorted(map(repr, model._default_manager.values_list(*names)))
    return found
