"""The tables of what comes in from Telegram: a Reply for each message or tap, its file, and the inbox."""

from django.db import models

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic, Member
from companion.clinics.sealed import SealedBytesField, SealedField
from companion.patients.models import Patient
from companion.schedules.models import Message


class ReplyKind(models.TextChoices):
    """The kinds of Reply."""

    TEXT = "text", "Wrote"
    TAP = "tap", "Tapped"
    OTHER = "other", "Sent something that is no text"


class Reply(models.Model):
    """A message or tap of a patient, or of a stranger (then without a patient)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="replies")
    patient = models.ForeignKey(Patient, models.PROTECT, null=True, related_name="replies")
    message = models.ForeignKey(Message, models.PROTECT, null=True, related_name="replies")
    """The Message that this Reply answers, if Telegram names it."""
    kind = models.CharField(max_length=8, choices=ReplyKind)
    text = SealedField("listener.Reply.text")
    telegram_id = models.BigIntegerField()
    telegram_message_id = models.BigIntegerField(null=True)
    update_id = models.BigIntegerField()
    at = models.DateTimeField()
    corrects = models.ForeignKey("self", models.PROTECT, null=True, related_name="corrections", db_index=False)
    """The first wording, if this Reply is a later wording of an edited message. Earlier wordings stay."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["clinic", "update_id"], name="update_once_in_a_clinic")]
        indexes = [
            models.Index(fields=["clinic", "-at"], name="replies_by_time"),
            models.Index(fields=["patient", "at"], name="replies_of_a_patient"),
            models.Index(fields=["telegram_id", "telegram_message_id"], name="replies_of_a_chat"),
            models.Index(fields=["corrects"], condition=models.Q(corrects__isnull=False), name="replies_that_correct"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Media(models.Model):
    """A file that came with a Reply. Its bytes are fetched when somebody opens it, and deleted after some months.

    Only listener/media.py changes these rows.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="media", db_index=False)
    reply = models.OneToOneField(Reply, models.CASCADE, related_name="media")
    kind = models.CharField(max_length=64)
    """The Bot API's name: photo, voice…"""
    name = SealedField("listener.Media.name")
    """The file's name on the patient's side; mostly empty."""
    size = models.BigIntegerField(null=True)
    """The size in bytes: as Telegram says, and as counted once the file is stored."""
    bot = models.BigIntegerField()
    """The bot's Telegram ID: no other bot can fetch the file."""
    file_id = models.TextField()
    type = models.CharField(max_length=32, blank=True, default="")
    """The MIME type, recognised from the bytes once the file is stored."""
    came_at = models.DateTimeField()
    kept_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["came_at"], condition=models.Q(dropped_at__isnull=True), name="media_that_is_not_dropped"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class MediaPart(models.Model):
    """A piece of a stored file. Pieces are sealed separately: no statement and no answer carries a whole large file."""

    media = models.ForeignKey(Media, models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveSmallIntegerField()
    content = SealedBytesField("listener.MediaPart.content", bound_to=("media_id", "number"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["media", "number"], name="part_once_in_a_media")]

    def __str__(self) -> str:
        return f"{self.media_id} {self.number}"


class Standing(models.TextChoices):
    """The states of a Conversation in the inbox."""

    UNREAD = "unread", "Unread"
    TAKEN = "taken", "Taken"
    DONE = "done", "Done"


class Conversation(models.Model):
    """A patient's or a stranger's conversation in the inbox: whether it needs staff, and to whom it is assigned.

    Every patient who has written, or has not answered in time, has a row. Only inbox.py and joining.py change these
    rows. `unread` counts the Replies that staff has not read. `urgent_at` is set by words that ask for urgent help, and
    cleared when a member takes the conversation.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="conversations", db_index=False)
    patient = models.ForeignKey(Patient, models.PROTECT, null=True, related_name="conversations", db_index=False)
    telegram_id = models.BigIntegerField()
    """The chat of the newest message."""
    standing = models.CharField(max_length=8, choices=Standing, default=Standing.UNREAD)
    holder = models.ForeignKey(Member, models.SET_NULL, null=True, related_name="conversations")
    holder_name = models.CharField(max_length=200, blank=True, default="")
    since = models.DateTimeField()
    """The time of the last change of `standing`."""
    unread = models.PositiveIntegerField(default=0)
    last_reply = models.ForeignKey(Reply, models.PROTECT, null=True, related_name="+", db_index=False)
    urgent_at = models.DateTimeField(null=True)
    unanswered = models.ForeignKey(Message, models.PROTECT, null=True, related_name="+")
    """The newest Message without an answer in time, until an answer comes or the conversation is done."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient"], condition=models.Q(patient__isnull=False), name="conversation_once_of_a_patient"
            ),
            models.UniqueConstraint(
                fields=["clinic", "telegram_id"],
                condition=models.Q(patient__isnull=True),
                name="conversation_once_of_a_stranger",
            ),
            models.CheckConstraint(
                condition=models.Q(standing__in=Standing.values), name="conversation_has_a_known_standing"
            ),
        ]
        indexes = [
            models.Index(fields=["clinic", "standing", "since", "id"], name="conversations_by_standing"),
            models.Index(
                fields=["clinic", "urgent_at"],
                condition=models.Q(urgent_at__isnull=False),
                name="conversations_urgent",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def held(self) -> bool:
        """Return whether the conversation is assigned to somebody who is still a member."""
        return self.standing == Standing.TAKEN and self.holder_id is not None
