"""What the Control Panel keeps: counts of past hours, what Telegram said of each bot, alerts and who hears of them.

No text, name or token of anybody's.
"""

from django.db import models

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic, Member
from companion.clinics.sealed import SealedField


class HourCount(models.Model):
    """The number of a clinic's Messages that ended in one past hour, counted once for the charts (hour_counts.py)."""

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
    """Telegram's latest answers about a clinic's bot (bot_checks.py)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.OneToOneField(Clinic, models.CASCADE, related_name="bot_look")
    at = models.DateTimeField()
    accepted = models.BooleanField()
    latency_ms = models.FloatField(null=True)
    webhook = models.BooleanField(null=True)
    """Whether a webhook is set, which keeps the listener from polling; null: not known."""
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
    status = models.CharField(max_length=8, default="degraded", db_default="degraded")
    """The worst that it came to: "degraded" or "down"."""
    told_at = models.DateTimeField(null=True)
    told_status = models.CharField(max_length=8, blank=True, default="", db_default="")
    """What it was told as; empty: not told."""
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
    """How an admin hears of alerts, where they said so: without such a row by e-mail only."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="alert_contacts")
    member = models.OneToOneField(Member, models.CASCADE, related_name="alert_contact")
    telegram_id = models.BigIntegerField(null=True)
    """As they gave it themselves; null: not by Telegram."""
    by_email = models.BooleanField(default=True, db_default=True)
    """To the address that they sign in with."""

    def __str__(self) -> str:
        return str(self.id)


class AlertWebhook(models.Model):
    """The program of a clinic's own that hears of its alerts."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.OneToOneField(Clinic, models.CASCADE, related_name="alert_webhook")
    url = SealedField("panel.AlertWebhook.url")
    """Sealed: such an address often holds a secret."""
    secret = SealedField("panel.AlertWebhook.secret")
    """Signs what is sent (webhook.py)."""
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)


class Notice(models.Model):
    """One e-mail or webhook call that tells of an alert: written with the alert, sent by whichever service is there."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="notices", db_index=False)
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="notices")
    event = models.CharField(max_length=16)
    """ "opened", "worse" or "recovered"."""
    way = models.CharField(max_length=8)
    """ "email" or "webhook"."""
    address = models.CharField(max_length=254, blank=True)
    """Whom an e-mail goes to; empty for the webhook."""
    words = models.CharField(max_length=500)
    created_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    """Null: it was sent, or given up."""
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=100, blank=True, default="")
    """Why the last try failed, in words of ours."""

    class Meta:
        indexes = [
            models.Index(fields=["next_try_at"], name="notices_to_send", condition=models.Q(next_try_at__isnull=False)),
            models.Index(fields=["clinic", "-created_at"], name="notices_of_a_clinic"),
        ]

    def __str__(self) -> str:
        return f"{self.way} {self.event}"
