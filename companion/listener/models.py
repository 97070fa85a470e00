"""What came in from Telegram: a Reply for each message or tap of a patient."""

from django.db import models

from companion.clinics.keys import new_id
from companion.clinics.models import Clinic
from companion.clinics.sealed import SealedField
from companion.patients.models import Patient
from companion.schedules.models import Message


class ReplyKind(models.TextChoices):
    """What the patient did."""

    TEXT = "text", "Wrote"
    TAP = "tap", "Tapped"
    OTHER = "other", "Sent something that is no text"


class Reply(models.Model):
    """What a patient (or a stranger, then without a patient) wrote or tapped back."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="replies")
    patient = models.ForeignKey(Patient, models.PROTECT, null=True, related_name="replies")
    message = models.ForeignKey(Message, models.PROTECT, null=True, related_name="replies")
    """What it answers, where Telegram says so."""
    kind = models.CharField(max_length=8, choices=ReplyKind)
    text = SealedField("listener.Reply.text")
    telegram_id = models.BigIntegerField()
    telegram_message_id = models.BigIntegerField(null=True)
    update_id = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["clinic", "update_id"], name="update_once_in_a_clinic")]
        indexes = [
            models.Index(fields=["clinic", "-at"], name="replies_by_time"),
            models.Index(fields=["patient", "at"], name="replies_of_a_patient"),
        ]

    def __str__(self) -> str:
        return str(self.id)
