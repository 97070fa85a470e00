"""Patients, Cohorts, consent and its history, and Enrolments. The other files of this folder change them."""

from django.db import models
from django.db.models import F, Q

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic
from companion.clinics.sealed import KeyedHashField
from companion.patients.names import first_name
from companion.patients.sources.models import PatientSource, SyncRun

__all__ = [
    "Cohort",
    "CohortMember",
    "Consent",
    "ConsentChange",
    "Enrolment",
    "EnrolmentNote",
    "FormerChat",
    "FormerPatient",
    "NoteKind",
    "Patient",
    "PatientSource",
    "SyncRun",
    "Verified",
    "Withdrawal",
]


class Consent(models.TextChoices):
    """A patient's agreement to get messages. `withdrawn` stops them; `unknown` does too if the clinic requires
    consent.
    """

    UNKNOWN = "unknown", "Not confirmed"
    GIVEN = "given", "Given"
    WITHDRAWN = "withdrawn", "Opted out"


class Withdrawal(models.TextChoices):
    """The origin of a withdrawal. The origin decides what ends the withdrawal, besides a Start in the chat."""

    OWN = "", "The patient's own word"
    CHAT = "chat", "The chat had opted out before the patient was reached there; another chat undoes it"
    BEFORE_QUESTION = "before_question", "The patient's own word, and asked again since; a yes undoes it"


class Verified(models.TextChoices):
    """Telegram's answer to the background check of a patient's chat (getChat)."""

    NOT_ASKED = "", "Not verified yet"
    FOUND = "found", "Known to the bot"
    NOT_FOUND = "not_found", "Not known to the bot"
    BLOCKED = "blocked", "Has blocked the bot"


class Cohort(models.Model):
    """A named set of patients."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="cohorts", db_index=False)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["clinic", "name"], name="cohort_name_once_in_a_clinic")]

    def __str__(self) -> str:
        return str(self.id)


class Patient(models.Model):
    """A person to whom the clinic writes."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="patients", db_index=False)
    external_id = models.CharField(max_length=100)
    external_id_written = models.CharField(max_length=100, blank=True, default="", db_default="")
    """The id as its source writes it, if invisible characters were removed from it; else empty."""
    name = models.CharField(max_length=200)
    search = models.CharField(max_length=320)
    """Name and external id, case folded and without accents, for the search by `q` (names.py)."""
    birth_date = models.DateField(null=True)
    phone = models.CharField(max_length=50, blank=True)
    telegram_id = models.BigIntegerField(null=True)
    caregiver = models.CharField(max_length=200, blank=True)
    """The name of the person whose phone gets the messages, if that is not the patient."""
    timezone = models.CharField(max_length=64)
    language = models.CharField(max_length=100, default="en")
    """A BCP 47 tag (languages.py)."""
    consent = models.CharField(max_length=16, choices=Consent, default=Consent.UNKNOWN)
    consent_before_stop = models.CharField(max_length=16, choices=Consent, blank=True, default="")
    """The consent that a Start restores. Withdrawn: only a yes to the question ends the withdrawal."""
    withdrawal = models.CharField(max_length=16, choices=Withdrawal, blank=True, default="", db_default="")
    consent_asked_at = models.DateTimeField(null=True)
    """Set while an enrolment's question is unanswered: until then only answers go to this patient."""
    trouble = models.CharField(max_length=24, blank=True, default="")
    """Telegram's last refusal of this chat, as a code of patients/reach.py. Messages are still tried; a message
    that arrives clears it.
    """
    trouble_at = models.DateTimeField(null=True)
    verified = models.CharField(max_length=16, choices=Verified, blank=True, default="", db_default="")
    verified_id = models.BigIntegerField(null=True)
    """The Telegram ID that `verified` is about; a newer ID has not been checked yet."""
    left_at = models.DateTimeField(null=True)
    paused_until = models.DateField(null=True)
    """The day, on the patient's own clock, from which messages go out again; until then only answers do."""
    paused_reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField()
    cohorts = models.ManyToManyField(Cohort, through="CohortMember", related_name="patients")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["clinic", "external_id"], name="external_id_once_in_a_clinic"),
            models.UniqueConstraint(
                fields=["clinic", "telegram_id"],
                condition=Q(caregiver=""),
                name="telegram_id_once_without_caregiver",
            ),
            models.CheckConstraint(
                condition=Q(telegram_id__isnull=True) | Q(telegram_id__gt=0), name="telegram_id_positive"
            ),
            models.CheckConstraint(condition=Q(consent__in=Consent.values), name="patient_has_a_known_consent"),
        ]
        indexes = [
            # `search` comes last, so that a search reads the index and not every row of the table.
            models.Index(fields=["clinic", "name", "id", "search"], name="patients_by_name_searched"),
            models.Index(fields=["clinic", "telegram_id"], name="patients_of_a_chat"),
            models.Index(
                fields=["clinic", "name", "id"], condition=Q(telegram_id__isnull=True), name="patients_without_telegram"
            ),
            models.Index(fields=["clinic", "name", "id"], condition=~Q(trouble=""), name="patients_in_trouble"),
            models.Index(fields=["clinic", "name", "id"], condition=Q(consent="withdrawn"), name="patients_opted_out"),
            models.Index(
                fields=["clinic", "name", "id"], condition=Q(consent_asked_at__isnull=False), name="patients_asked"
            ),
            models.Index(fields=["clinic", "name", "id"], condition=Q(left_at__isnull=False), name="patients_who_left"),
            models.Index(
                fields=["clinic", "id"],
                condition=Q(verified_id__isnull=True, telegram_id__isnull=False),
                name="patients_to_be_verified",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def first_name(self) -> str:
        """The name by which messages address the patient."""
        return first_name(self.name)


class CohortMember(models.Model):
    """A patient's place in a cohort."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+", db_index=False)
    cohort = models.ForeignKey(Cohort, models.CASCADE, related_name="memberships", db_index=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="memberships")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cohort", "patient"], name="patient_once_in_a_cohort")]

    def __str__(self) -> str:
        return str(self.id)


class ConsentChange(models.Model):
    """An entry of a patient's consent history."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+", db_index=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="consent_history", db_index=False)
    at = models.DateTimeField()
    consent = models.CharField(max_length=16, choices=Consent)
    source = models.CharField(max_length=64)
    """The origin of the change: "patient: STOP", "patient: agreed", "member: …", "import"."""
    wording = models.CharField(max_length=32, blank=True)
    """The version of the question that the patient agreed to."""

    class Meta:
        indexes = [models.Index(fields=["patient", "at"], name="consent_history_by_time")]

    def __str__(self) -> str:
        return str(self.id)


class Enrolment(models.Model):
    """A one-time invitation: the patient presses "Start", which sets the Telegram ID. Only the token's hash is kept."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="enrolments")
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="enrolments")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    before = models.JSONField(null=True)
    """The patient's chat and consent before the invitation (linking.Before); null once the question is answered."""

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="enrolment_expires_after_it_is_made"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class NoteKind(models.TextChoices):
    """The kinds of events that the clinic must look at."""

    USED = "used", "Used link"
    EXPIRED = "expired", "Expired link"
    TAKEN = "taken", "Somebody else's chat"
    NOT_ME = "not_me", "“That's not me”"
    EXCHANGED = "exchanged", "Another chat than before"
    GIVEN_ON = "given_on", "A chat that was another patient's"


class EnrolmentNote(models.Model):
    """A note about an enrolment or a chat, shown until a member has seen it."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+", db_index=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="enrolment_notes")
    kind = models.CharField(max_length=16, choices=NoteKind)
    at = models.DateTimeField()
    """The time of the last event of this kind."""
    times = models.PositiveIntegerField(default=1)
    seen_at = models.DateTimeField(null=True)
    seen_by = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "patient", "kind"],
                condition=Q(seen_at__isnull=True),
                name="enrolment_note_once_unseen",
            )
        ]
        indexes = [
            models.Index(fields=["clinic", "-at"], condition=Q(seen_at__isnull=True), name="enrolment_notes_unseen")
        ]

    def __str__(self) -> str:
        return str(self.id)


class FormerChat(models.Model):
    """A chat by which a patient was reached before: to recognise it when it is given to another patient, and to
    tell it that it gets no more messages. Changed by former_chats.py.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+", db_index=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="former_chats", db_index=False)
    telegram_id = models.BigIntegerField()
    left_at = models.DateTimeField()
    agreed = models.BooleanField(default=False)
    """True if the patient had agreed to messages in that chat."""
    to_be_told = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["patient", "telegram_id"], name="former_chat_once_of_a_patient")]
        indexes = [models.Index(fields=["clinic", "telegram_id"], name="former_chats_by_telegram_id")]

    def __str__(self) -> str:
        return str(self.id)


class FormerPatient(models.Model):
    """A patient who was erased, or merged into another. Holds nothing of the person; written by former_patients.py."""

    id = models.UUIDField(primary_key=True)
    """The id that the patient had."""
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField()
    into = models.ForeignKey(Patient, models.SET_NULL, null=True, related_name="merged")
    """The patient who remains after a merge; None if the person was erased."""
    external_id_hash = KeyedHashField()
    """A keyed hash, by which imports recognise the external id; empty once a member has added the patient again."""

    class Meta:
        indexes = [models.Index(fields=["clinic", "external_id_hash"], name="former_patients_by_id")]

    def __str__(self) -> str:
        return str(self.id)
