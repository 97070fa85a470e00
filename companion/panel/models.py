"""The Control Panel's tables: counts of past hours, checks of each bot, alerts, and the people who get them.

No row holds a message's text, a patient's name or a token.
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
    """The beginning of the hour, a whole hour of UTC."""
    what = models.CharField(max_length=24)
    """"sent", or the reason code of failed Messages."""
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["clinic", "hour", "what"], name="hour_counted_once")]

    def __str__(self) -> str:
        return f"{self.hour} {self.what}"


class BotCheck(models.Model):
    """Telegram's latest answers about a clinic's bot (bot_checks.py)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.OneToOneField(Clinic, models.CASCADE, related_name="bot_check")
    at = models.DateTimeField()
    accepted = models.BooleanField()
    latency_ms = models.FloatField(null=True)
    webhook = models.BooleanField(null=True)
    """True if a webhook is set, which keeps the listener from polling; null: not known."""
    pending_updates = models.IntegerField(null=True)
    skew_seconds = models.FloatField(null=True)
    """The seconds by which this machine's clock is ahead of Telegram's Date."""
    last_error = models.CharField(max_length=100, blank=True)
    """The last refusal or failure, in our words; kept after the problem is over."""
    last_error_at = models.DateTimeField(null=True)

    class Meta:
        # The table keeps the name that it was made with: the services of an older release read it while they stop.
        db_table = "panel_botlook"

    def __str__(self) -> str:
        return str(self.id)


class Alert(models.Model):
    """A problem of a clinic's sending, from its first observation to its end (alerts.py)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="alerts", db_index=False)
    cause = models.CharField(max_length=32)
    words = models.CharField(max_length=500)
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    """The last time at which the problem was seen."""
    status = models.CharField(max_length=8, default="degraded", db_default="degraded")
    """The worst status so far: "degraded" or "down"."""
    told_at = models.DateTimeField(null=True)
    told_status = models.CharField(max_length=8, blank=True, default="", db_default="")
    """The status that people were told; empty: nobody was told."""
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


class Maintenance(models.Model):
    """A window in which a clinic's admins get no alerts (maintenance.py)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="maintenance")
    began_at = models.DateTimeField()
    until = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)
    """A sentence by the admin."""
    begun_by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"until {self.until}"


class AlertContact(models.Model):
    """An admin's choice of channels for alerts. Without a row, alerts come only by e-mail."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="alert_contacts")
    member = models.OneToOneField(Member, models.CASCADE, related_name="alert_contact")
    telegram_id = models.BigIntegerField(null=True)
    """The ID that the admin entered; null: not by Telegram."""
    by_email = models.BooleanField(default=True, db_default=True)
    """To the address with which the admin signs in."""

    def __str__(self) -> str:
        return str(self.id)


class OutsideHeartbeat(models.Model):
    """The outside monitor that is called once a minute while a clinic's sending works (outside_heartbeat.py)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.OneToOneField(Clinic, models.CASCADE, related_name="outside_heartbeat")
    url = SealedField("panel.OutsideHeartbeat.url")
    """Sealed, because such an address holds a secret."""
    created_at = models.DateTimeField()
    next_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    """The last time that the monitor accepted a heartbeat."""
    error = models.CharField(max_length=100, blank=True, default="")
    """The reason why the last try failed, in our own words."""

    def __str__(self) -> str:
        return str(self.id)


class Notice(models.Model):
    """An e-mail about an alert: written together with the alert, sent by any service."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="notices", db_index=False)
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="notices")
    event = models.CharField(max_length=16)
    """ "opened", "worse" or "recovered"."""
    address = models.CharField(max_length=254, blank=True)
    words = models.CharField(max_length=500)
    created_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    """Null: the notice was sent, or given up."""
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=100, blank=True, default="")
    """The reason why the last try failed, in our own words."""

    class Meta:
        indexes = [
            models.Index(fields=["next_try_at"], name="notices_to_send", condition=models.Q(next_try_at__isnull=False)),
            models.Index(fields=["clinic", "-created_at"], name="notices_of_a_clinic"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"


class TrailHead(models.Model):
    """The newest hash of a clinic's audit trail, as it was sent out on a day (trail_heads.py)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="trail_heads", db_index=False)
    day = models.DateField()
    number = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    """The next try to send the e-mail; null: it was sent, given up, or no mail server is set."""
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["clinic", "day"], name="trail_head_once_a_day")]
        indexes = [
            models.Index(
                fields=["next_try_at"], name="trail_heads_to_mail", condition=models.Q(next_try_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.number}"
