"""The Sandbox's tables: bots, phones, their messages, and updates that a bot has not fetched yet.

No row here names a patient or a clinic. The product never reads these tables: it calls the Sandbox over HTTP.
"""

from typing import Final

from django.db import models

DELAY_MAX: Final = 10
"""The longest delay of a slow phone, in seconds."""


class State(models.TextChoices):
    """The behaviour of a phone."""

    NORMAL = "normal", "Receives messages"
    NOT_STARTED = "not_started", "Has not pressed Start"
    BLOCKED = "blocked", "Has blocked the bot"
    DEACTIVATED = "deactivated", "Has deleted the account"
    UNREACHABLE = "unreachable", "Telegram is out of order (502)"
    SLOW = "slow", "Telegram answers late"


class SandboxBot(models.Model):
    """A bot. Code that takes a number from one of the counters locks the row."""

    telegram_id = models.BigIntegerField(unique=True)
    token_hash = models.CharField(max_length=64, unique=True)
    """SHA-256 of the token, in hex. Only the clinic knows the token."""
    first_name = models.CharField(max_length=64)
    username = models.CharField(max_length=32)
    last_message_id = models.BigIntegerField(default=0)
    """The number of the newest message, sent or received, in any chat: Telegram, too, has one counter for a bot."""
    last_update_id = models.BigIntegerField()
    poll_number = models.BigIntegerField(default=0)
    """The count of getUpdates calls. A waiting poll ends if it sees a newer number, since that is another poller's."""
    allowed_updates = models.JSONField(default=list)
    """The kinds that the bot asked for last; empty means all."""

    def __str__(self) -> str:
        return f"@{self.username}"


class Phone(models.Model):
    """A person's Telegram account, shown as a phone.

    It belongs to one bot, and so to one clinic: another bot that writes to the same Telegram ID has a phone of its own
    there, so that no clinic sees the phones of another clinic.
    """

    bot = models.ForeignKey(SandboxBot, models.CASCADE, related_name="phones", db_index=False)
    telegram_id = models.BigIntegerField()
    first_name = models.CharField(max_length=64)
    language = models.CharField(max_length=16, default="en")
    state = models.CharField(max_length=16, choices=State, default=State.NORMAL)
    delay_seconds = models.FloatField(default=3)
    """The delay of Telegram's answer while the state is slow."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bot", "telegram_id"], name="sandbox_phone_once_of_a_bot")]

    def __str__(self) -> str:
        return str(self.telegram_id)


class FileKind(models.TextChoices):
    """The kinds of file that a phone can send, by the Bot API's names."""

    PHOTO = "photo", "Photo"
    VOICE = "voice", "Voice note"
    DOCUMENT = "document", "Document"


class SandboxFile(models.Model):
    """A file that a phone has sent; bots fetch it by getFile."""

    bot = models.ForeignKey(SandboxBot, models.CASCADE, related_name="files")
    file_id = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=16, choices=FileKind)
    name = models.CharField(max_length=255, blank=True)
    content = models.BinaryField()
    size = models.BigIntegerField()
    seconds = models.PositiveIntegerField(default=0)
    """The length of a voice note."""

    def __str__(self) -> str:
        return self.file_id


class SandboxMessage(models.Model):
    """A message in the chat of a bot and a phone. If there is a file, the text is its caption."""

    bot = models.ForeignKey(SandboxBot, models.CASCADE, related_name="messages")
    phone = models.ForeignKey(Phone, models.CASCADE, related_name="messages")
    message_id = models.BigIntegerField()
    from_bot = models.BooleanField()
    text = models.TextField()
    buttons = models.JSONField(default=list)
    """The rows of the inline keyboard, as they were sent."""
    protected = models.BooleanField(default=False)
    file = models.ForeignKey(SandboxFile, models.CASCADE, null=True, related_name="messages")
    at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)
    """The instant at which the person changed its text."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bot", "message_id"], name="sandbox_message_id_once")]
        indexes = [
            models.Index(fields=["bot", "at"], name="sandbox_message_bot_at"),  # the bot's rate
            models.Index(fields=["bot", "phone", "at"], name="sandbox_message_chat_at"),  # the chat and its rate
        ]

    def __str__(self) -> str:
        return str(self.message_id)


class SandboxTap(models.Model):
    """A tap on a button: Telegram's callback query, which a bot answers once by its id."""

    message = models.ForeignKey(SandboxMessage, models.CASCADE, related_name="taps")
    data = models.CharField(max_length=64)
    at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=200, blank=True)
    """The short text that the bot showed over the chat."""

    def __str__(self) -> str:
        return str(self.pk)


class SandboxUpdate(models.Model):
    """An update that the bot hasn't confirmed yet, as Telegram's JSON."""

    bot = models.ForeignKey(SandboxBot, models.CASCADE, related_name="updates")
    update_id = models.BigIntegerField()
    payload = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bot", "update_id"], name="sandbox_update_id_once")]

    def __str__(self) -> str:
        return str(self.update_id)
