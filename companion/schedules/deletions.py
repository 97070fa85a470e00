"""The table of messages that the dispatcher is to delete from Telegram chats (delivery/deleting.py)."""

from django.db import models

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic
from companion.clinics.sealed import SealedField


class Deletion(models.Model):
    """A message, from us or from the patient, to be deleted from its chat. The row is deleted once the message is
    deleted, or can no longer be.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+", db_index=False)
    chat = SealedField("schedules.Deletion.chat")
    """The chat's Telegram ID. It is the last value that is kept of an erased person."""
    telegram_message_id = models.BigIntegerField()
    until = models.DateTimeField()
    """The instant from which Telegram refuses to delete the message."""
    next_try_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["clinic", "next_try_at"], name="deletions_in_line")]

    def __str__(self) -> str:
        return str(self.id)
