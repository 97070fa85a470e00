"""Find the rows that are about one patient, for the export and for the erasure. Queries only.

A chat may have written before it was linked to the patient. These earlier messages belong to the patient, too, unless
another patient is or was reached in that chat.
"""

from collections.abc import Collection

from django.db.models import Q, QuerySet

from companion.listener.models import Conversation, Media, Reply
from companion.patients.models import FormerChat, Patient
from companion.schedules.models import Lane, Message, Schedule, Version


def chats_of(patient: Patient) -> frozenset[int]:
    """Return the chats of this patient alone: the present chat, and former chats in which the patient had agreed."""
    former = FormerChat.objects.filter(patient=patient, agreed=True).values_list("telegram_id", flat=True)
    chats = {*former, *([patient.telegram_id] if patient.telegram_id else [])}
    return frozenset(chats - reached_by_others(patient, chats))


def reached_by_others(patient: Patient, chats: Collection[int]) -> frozenset[int]:
    """Return the chats among these in which another patient of the clinic is or was reached."""
    present = Patient.objects.filter(clinic=patient.clinic_id, telegram_id__in=chats).exclude(pk=patient.pk)
    former = FormerChat.objects.filter(clinic=patient.clinic_id, telegram_id__in=chats).exclude(patient=patient)
    reached = (*present.values_list("telegram_id", flat=True), *former.values_list("telegram_id", flat=True))
    return frozenset(chat for chat in reached if chat is not None)


def messages_of(patient: Patient) -> QuerySet[Message]:
    """Return all Messages to the patient, and the answers to the patient's chats before these were linked."""
    strangers = Q(patient=None, telegram_id__in=chats_of(patient), lane=Lane.STRANGER)
    return Message.objects.filter(Q(patient=patient) | strangers, clinic=patient.clinic_id)


def replies_of(patient: Patient) -> QuerySet[Reply]:
    """Return all Replies of the patient, and of the patient's chats before these were linked."""
    strangers = Q(patient=None, telegram_id__in=chats_of(patient))
    return Reply.objects.filter(Q(patient=patient) | strangers, clinic=patient.clinic_id)


def files_of(patient: Patient) -> QuerySet[Media]:
    """Return the files that came with the patient's Replies."""
    return Media.objects.filter(clinic=patient.clinic_id, reply__in=replies_of(patient))


def conversations_of(patient: Patient) -> QuerySet[Conversation]:
    """Return the patient's Conversation, and the Conversations of the patient's chats before these were linked."""
    strangers = Q(patient=None, telegram_id__in=chats_of(patient))
    return Conversation.objects.filter(Q(patient=patient) | strangers, clinic=patient.clinic_id)


def schedules_of_nobody_else(patient: Patient) -> QuerySet[Schedule]:
    """Return the Schedules that name this patient and nobody else."""
    named = Schedule.objects.filter(clinic=patient.clinic_id, cohort=None, recipient_rows__patient=patient)
    others = Schedule.objects.filter(recipient_rows__patient__in=Patient.objects.exclude(pk=patient.pk))
    return named.exclude(pk__in=others.filter(pk__in=named.values("pk")).values("pk"))


def wordings_of_nobody_else(patient: Patient) -> QuerySet[Version]:
    """Return the versions of these Schedules that no other patient has got. A Schedule may have had more recipients."""
    schedules = schedules_of_nobody_else(patient)
    versions = Version.objects.filter(clinic=patient.clinic_id, schedule__in=schedules.values("pk"))
    others = Message.objects.filter(version__in=versions.values("pk"), patient__isnull=False).exclude(patient=patient)
    return versions.exclude(pk__in=others.values("version"))
