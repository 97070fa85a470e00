"""What the Control Panel keeps: counts of past hours, what Telegram said of each bot, alerts and who hears of them.

No text, name or token of anybody's.
"""

from django.db import models

from companion.clinics.keys import new_id
from companion.clinics.models import Clinic, Member


class HourCount(models.Model):
    """How many Messages of a clinic ended in one past hour, counted once (tally.py), so that charts cost the same."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="hour_counts", db_index=False)
    hour = models.DateTimeField()
    """Its beginning, a whole hour of UTC."""
    what = models.CharField(max_length=24)
    """ "sent", or the reason code of those that failed."""
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["clinic", "hour", "what"], name="hour_counted_once")]

    def __str__(self) -> str:
        return f"{self.hour} {self.what}"


class BotLook(models.Model):
    """What Telegram said when it was last asked about a clinic's bot (looks.py)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.OneToOneField(Clinic, models.CASCADE, related_name="bot_look")
    at = models.DateTimeField()
    accepted = models.BooleanField()
    latency_ms = models.FloatField(null=True)
    webhook = models.BooleanField(null=True)
    """Whether one is set, which keeps the listener from polling; null: not known."""
    pending_updates = models.IntegerField(null=True)
    skew_seconds = models.FloatField(null=True)
    """This machine's clock less Telegram's Date."""
    last_error = models.CharField(max_length=100, blank=True)
    """The last refusal or failure, in words of ours; kept after it is over."""
    last_error_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class Alert(models.Model):
    """Something that was wrong with a clinic's sending, from when it was seen until it was over (alerts.py)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="alerts", db_index=False)
    cause = models.CharField(max_length=32)
    words = models.CharField(max_length=500)
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    """When it was last seen."""
    told_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "cause"], name="one_open_alert_for_a_cause", condition=models.Q(closed_at=None)
            )
        ]
        indexes = [models.Index(fields=["clinic", "cause", "told_at"], name="alerts_told")]

    def __str__(self) -> str:
        return f"{self.cause} {self.opened_at}"


class AlertContact(models.Model):
    """The Telegram ID under which an admin hears of alerts, as they gave it themselves."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="alert_contacts")
    member = models.OneToOneField(Member, models.CASCADE, related_name="alert_contact")
    telegram_id = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.id)
