"""The rows that are about one patient, for the export and for the erasure: queries only.

A chat may have written before it became the patient's. What it said then is the patient's, too, as long as nobody else
is or was reached in that chat.
"""

from collections.abc import Collection

from django.db.models import Q, QuerySet

from companion.listener.models import Conversation, Media, Reply
from companion.patients.models import FormerChat, Patient
from companion.schedules.models import Lane, Message, Schedule, Version


def chats_of(patient: Patient) -> frozenset[int]:
    """The chats that are this patient's alone: the present chat, and former ones in which the patient had agreed."""
    former = FormerChat.objects.filter(patient=patient, agreed=True).values_list("telegram_id", flat=True)
    own = {*former, *([patient.telegram_id] if patient.telegram_id else [])}
    return frozenset(own - reached_by_others(patient, own))


def reached_by_others(patient: Patient, chats: Collection[int]) -> frozenset[int]:
    """The chats among these in which another patient of the clinic is or was reached."""
    here = Patient.objects.filter(clinic=patient.clinic_id, telegram_id__in=chats).exclude(pk=patient.pk)
    before = FormerChat.objects.filter(clinic=patient.clinic_id, telegram_id__in=chats).exclude(patient=patient)
    found = (*here.values_list("telegram_id", flat=True), *before.values_list("telegram_id", flat=True))
    return frozenset(chat for chat in found if chat is not None)


def messages_of(patient: Patient) -> QuerySet[Message]:
    """All Messages to the patient, and the answers to the patient's chats from before they were known."""
    strangers = Q(patient=None, telegram_id__in=chats_of(patient), lane=Lane.STRANGER)
    return Message.objects.filter(Q(patient=patient) | strangers, clinic=patient.clinic_id)


def replies_of(patient: Patient) -> QuerySet[Reply]:
    """All Replies of the patient, also from before the chat was known as the patient's."""
    strangers = Q(patient=None, telegram_id__in=chats_of(patient))
    return Reply.objects.filter(Q(patient=patient) | strangers, clinic=patient.clinic_id)


def files_of(patient: Patient) -> QuerySet[Media]:
    """The files that came with these Replies."""
    return Media.objects.filter(clinic=patient.clinic_id, reply__in=replies_of(patient))


def conversations_of(patient: Patient) -> QuerySet[Conversation]:
    """The patient's Conversation, and those of the patient's chats from before they were known."""
    strangers = Q(patient=None, telegram_id__in=chats_of(patient))
    return Conversation.objects.filter(Q(patient=patient) | strangers, clinic=patient.clinic_id)


def schedules_of_nobody_else(patient: Patient) -> QuerySet[Schedule]:
    """The Schedules that name this patient and nobody else."""
    named = Schedule.objects.filter(clinic=patient.clinic_id, cohort=None, recipient_rows__patient=patient)
    others = Schedule.objects.filter(recipient_rows__patient__in=Patient.objects.exclude(pk=patient.pk))
    return named.exclude(pk__in=others.filter(pk__in=named.values("pk")).values("pk"))


def wordings_of_nobody_else(patient: Patient) -> QuerySet[Version]:
    """The wordings of these Schedules that no other patient has got: a Schedule may have had more recipients."""
    own = Version.objects.filter(clinic=patient.clinic_id, schedule__in=schedules_of_nobody_else(patient).values("pk"))
    others = Message.objects.filter(version__in=own.values("pk"), patient__isnull=False).exclude(patient=patient)
    return own.exclude(pk__in=others.values("version"))
