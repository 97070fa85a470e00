"""What the Sandbox remembers: its bots, its phones, what they wrote to each other, and what a bot has yet to fetch.

Nothing here is a patient's or a clinic's; the product itself never reads these tables, it talks to the Sandbox by HTTP.
"""

from typing import Final

from django.db import models

DELAY_MAX: Final = 10
"""Seconds; a slow phone answers later than this never."""


class State(models.TextChoices):
    """How a phone behaves towards every bot."""

    NORMAL = "normal", "Receives messages"
    NOT_STARTED = "not_started", "Has not pressed Start"
    BLOCKED = "blocked", "Has blocked the bot"
    DEACTIVATED = "deactivated", "Has deleted the account"
    UNREACHABLE = "unreachable", "Telegram is out of order (502)"
    SLOW = "slow", "Telegram answers late"


class SandboxBot(models.Model):
    """A bot. Its row is locked by whatever takes a number from one of its counters."""

    telegram_id = models.BigIntegerField(unique=True)
    token_hash = models.CharField(max_length=64, unique=True)
    """SHA-256 of the token, in hex; the token itself is known to its clinic only."""
    first_name = models.CharField(max_length=64)
    username = models.CharField(max_length=32)
    last_message_id = models.BigIntegerField(default=0)
    """One counter for all that the bot sends and receives, in all chats, as Telegram has it."""
    last_update_id = models.BigIntegerField()
    poll_number = models.BigIntegerField(default=0)
    """Counts getUpdates; a poll that finds a newer number was ended by another poller."""
    allowed_updates = models.JSONField(default=list)
    """The kinds asked for last; empty means all."""

    def __str__(self) -> str:
        return f"@{self.username}"


class Phone(models.Model):
    """A person's Telegram account, as a phone to look at. It may chat with several bots."""

    telegram_id = models.BigIntegerField(unique=True)
    first_name = models.CharField(max_length=64)
    language = models.CharField(max_length=16, default="en")
    state = models.CharField(max_length=16, choices=State, default=State.NORMAL)
    delay_seconds = models.FloatField(default=3)
    """How late Telegram answers while the state is slow."""

    def __str__(self) -> str:
        return str(self.telegram_id)


class FileKind(models.TextChoices):
    """As what a phone sends a file, in the Bot API's words."""

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
    """How long a voice note is."""

    def __str__(self) -> str:
        return self.file_id


class SandboxMessage(models.Model):
    """One message in the chat of a bot and a phone. With a file, the text is its caption."""

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
    """When the person changed its text."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bot", "message_id"], name="sandbox_message_id_once")]
        indexes = [
            models.Index(fields=["bot", "at"], name="sandbox_message_bot_at"),  # the bot's rate
            models.Index(fields=["bot", "phone", "at"], name="sandbox_message_chat_at"),  # the chat and its rate
        ]

    def __str__(self) -> str:
        return str(self.message_id)


class SandboxTap(models.Model):
    """A button that was tapped: Telegram's callback query, to be answered once by its id."""

    message = models.ForeignKey(SandboxMessage, models.CASCADE, related_name="taps")
    data = models.CharField(max_length=64)
    at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=200, blank=True)
    """What the bot had shown over the chat."""

    def __str__(self) -> str:
        return str(self.pk)


class SandboxUpdate(models.Model):
    """An update that the bot hasn't confirmed yet, in Telegram's own JSON."""

    bot = models.ForeignKey(SandboxBot, models.CASCADE, related_name="updates")
    update_id = models.BigIntegerField()
    payload = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bot", "update_id"], name="sandbox_update_id_once")]

    def __str__(self) -> str:
        return str(self.update_id)
