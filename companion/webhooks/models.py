"""The tables of webhooks: a clinic's own programs, the kinds of event that each gets, and the events to be delivered.

The rows have only ids, instants and codes, and never a text or a name.
"""

from django.db import models

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic
from companion.clinics.sealed import SealedField


class Kind(models.TextChoices):
    """A kind of event. The values are the types of Standard Webhooks' payloads."""

    ALERT = "alert", "Alerts"
    SENT = "message.sent", "Messages that were sent"
    FAILED = "message.failed", "Messages that failed, with the reason's code"
    REPLY = "reply.received", "Replies of patients, without their words"
    ANSWER = "answer.given", "Taps on answer buttons"
    CONSENT = "consent.changed", "Changes of consent"
    ENROLMENT = "patient.enrolled", "Patients who enrolled"
    AUDIT = "audit.hash", "The audit trail's newest hash, once a day"


class Webhook(models.Model):
    """A clinic's own program that is called when something happens."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="webhooks")
    url = SealedField("webhooks.Webhook.url")
    """The address. It is sealed, because such an address often contains a secret."""
    secret = SealedField("webhooks.Webhook.secret")
    """The secret that signs each call (signing.py)."""
    former_secret = SealedField("webhooks.Webhook.former_secret", null=True)
    """The secrets before the last exchange, the newest first, with spaces between. They sign each call, too, until
    `former_until`.
    """
    former_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    """The instant at which the receiver answered 410. Since then no new events are noted for it."""
    failures = models.PositiveSmallIntegerField(default=0)
    """The number of calls in a row that the receiver did not accept."""
    is_slow = models.BooleanField(default=False, db_default=False)
    """True if it answered a call of its last turn slowly, or not within this time (turn.py)."""
    rests_until = models.DateTimeField(null=True)
    """The instant until which it is not called, because it did not answer the last call, or could not handle it."""
    held_by = models.UUIDField(null=True)
    held_until = models.DateTimeField(null=True)
    """`held_by` is the turn that calls it now, and `held_until` the instant until which no other process may call it
    (turn.py). Without a turn, `held_until` is the end of the last turn.
    """

    def __str__(self) -> str:
        return str(self.id)


class Wish(models.Model):
    """A kind of event that a webhook gets."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=20)
    """A Kind."""
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="wishes")

    class Meta:
        # The constraint is also the index for the query that runs with each end of a message.
        constraints = [models.UniqueConstraint(fields=["clinic", "kind", "webhook"], name="webhook_wishes_once")]

    def __str__(self) -> str:
        return str(self.kind)


class Delivery(models.Model):
    """An event for one webhook, with the result of its calls. It is written in the transaction of the event itself."""

    number = models.BigAutoField(primary_key=True)
    """A number that is higher for a later event of the same subject."""
    id = models.UUIDField(unique=True, default=new_id)
    """The `webhook-id`: the same with each try."""
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="+", db_index=False)
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries", db_index=False)
    kind = models.CharField(max_length=20)
    subject = models.UUIDField()
    """The message, alert or patient; of a reply the message that it answers, or its first wording. Events of one
    subject are delivered in their order.
    """
    patient = models.UUIDField(null=True)
    code = models.CharField(max_length=40, blank=True, default="")
    more = models.JSONField(default=dict)
    """Other ids and codes of the payload, by name."""
    at = models.DateTimeField()
    """The instant of the event."""
    since = models.DateTimeField()
    """The instant of the first try: the event's instant, or the instant of a person's retry."""
    next_try_at = models.DateTimeField(null=True)
    """The instant of the next try; null if it was accepted or given up."""
    tries = models.PositiveSmallIntegerField(default=0)
    taken_at = models.DateTimeField(null=True)
    """The instant at which the receiver answered 2xx."""
    answer = models.PositiveSmallIntegerField(null=True)
    """The status code of the last answer; null if none came."""
    error = models.CharField(max_length=100, blank=True, default="")
    """The reason why the last try failed, in our own words."""

    class Meta:
        indexes = [
            models.Index(
                fields=["webhook", "next_try_at"],
                name="deliveries_due",
                condition=models.Q(next_try_at__isnull=False),
            ),
            models.Index(
                fields=["webhook", "subject", "number"],
                name="deliveries_in_order",
                condition=models.Q(next_try_at__isnull=False),
            ),
            models.Index(fields=["webhook", "-number"], name="deliveries_of_a_webhook"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
