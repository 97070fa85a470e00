"""Plans (Schedule), the delivery of each Occurrence to each patient (Message), and each try to deliver (Attempt).

The models hold the rules of the columns. Only delivery/lifecycle.py changes the status of a Message.
"""

import datetime as dt
from typing import Final

from django.db import models
from django.db.models import Q

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic
from companion.clinics.sealed import SealedField
from companion.patients.models import Cohort, Patient
from companion.schedules.deletions import Deletion as Deletion
from companion.times.workdays import WhenAvoided

LATE_AFTER: Final = dt.timedelta(hours=1)
"""The time within which a message must be sent, unless its schedule or its lane says otherwise."""


class State(models.TextChoices):
    """A Schedule's state."""

    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    ENDED = "ended", "Ended"
    CANCELLED = "cancelled", "Cancelled"


class Status(models.TextChoices):
    """A Message's four statuses. `sent` and `cancelled` are final; a person may retry a failed Message."""

    PENDING = "pending", "Pending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Lane(models.IntegerChoices):
    """The order of sending: the smaller number goes first."""

    ANSWER = 0, "answer"
    REMINDER = 1, "reminder"
    STRANGER = 2, "answer to a stranger"
    BROADCAST = 3, "broadcast"


class Quiet(models.TextChoices):
    """The behaviour of a message in the clinic's quiet hours."""

    WAIT = "wait", "Wait for their end"
    IGNORE = "ignore", "Go out all the same"


class IfUnknown(models.TextChoices):
    """The treatment of a message whose delivery is uncertain."""

    HOLD = "hold", "Don't send it again"
    RESEND = "resend", "Send it again, once"


class Follow(models.TextChoices):
    """The reason why a Message follows another Message. Each kind follows a Message at most once."""

    NONE = "", "It doesn't"
    LATER = "later", "The patient asked for it later"
    REMINDER = "reminder", "No answer came in time"
    SHOWN = "shown", "Shows the answer in place of the buttons"


class AttemptOutcome(models.TextChoices):
    """The result of a try; empty while Telegram's answer is awaited."""

    OPEN = "", "On the wire"
    SENT = "sent", "Telegram took it"
    PERMANENT = "permanent", "Telegram refused it"
    TOO_MANY = "too_many", "Telegram asked to wait"
    TRANSIENT = "transient", "Nothing left; to be tried again"
    UNAUTHORIZED = "unauthorized", "Telegram refused the bot's token"
    UNKNOWN = "unknown", "It may or may not have arrived"
    NEVER_LEFT = "never_left", "Given back before anything left"


class Schedule(models.Model):
    """A plan: a text, its recipients and its times. Times are wall times ("2026-12-01T09:00") in `timezone`."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="schedules", db_index=False)
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    starts_at = models.CharField(max_length=19)
    timezone = models.CharField(max_length=64)
    """An IANA name, or "patient" for the zone of each patient."""
    recurrence = models.JSONField(null=True)
    cohort = models.ForeignKey(Cohort, models.PROTECT, null=True, related_name="schedules")
    late_after = models.DurationField(default=LATE_AFTER)
    quiet_hours = models.CharField(max_length=8, choices=Quiet, default=Quiet.IGNORE)
    if_unknown = models.CharField(max_length=8, choices=IfUnknown, default=IfUnknown.HOLD)
    lane = models.PositiveSmallIntegerField(choices=Lane, default=Lane.REMINDER)
    answer_within = models.DurationField(null=True)
    """Staff is told after this time that no answer came; null: don't wait for an answer."""
    avoid_weekends = models.BooleanField(default=False, db_default=False)
    avoid_holidays = models.BooleanField(default=False, db_default=False)
    avoid_closed_days = models.BooleanField(default=False, db_default=False)
    when_avoided = models.CharField(
        max_length=8,
        choices=[(choice.value, choice.value) for choice in WhenAvoided],
        default=WhenAvoided.SKIP.value,
        db_default=WhenAvoided.SKIP.value,
    )
    cancelled_at = models.DateTimeField(null=True)
    cancelled_from = models.CharField(max_length=16, blank=True, default="", db_default="")
    """The state before the cancel. Undoing the cancel returns to this state."""
    review_on = models.DateField(null=True)
    """The day on which a person looks again at a series without an end."""
    split_from = models.ForeignKey("self", models.PROTECT, null=True, related_name="split_into")
    created_by_kind = models.CharField(max_length=16)
    created_by_name = models.CharField(max_length=200)
    created_by_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    resumed_at = models.DateTimeField(null=True)
    """The instant of the last resume or change of the rule. Occurrences up to this instant are not planned."""
    planned_until = models.DateTimeField(null=True)
    """Every occurrence up to this instant has its Messages."""
    next_plan_at = models.DateTimeField(null=True)
    """The instant at which the Planner looks at this Schedule again; null: never."""
    recipients = models.ManyToManyField(Patient, through="Recipient", related_name="schedules")

    class Meta:
        indexes = [
            models.Index(fields=["clinic", "id"], name="schedules_of_a_clinic"),
            models.Index(fields=["clinic", "state", "id"], name="schedules_by_state"),
            models.Index(fields=["next_plan_at"], name="schedules_to_plan", condition=Q(next_plan_at__isnull=False)),
            models.Index(
                fields=["clinic", "next_plan_at"], name="schedules_to_come", condition=Q(next_plan_at__isnull=False)
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="schedule_has_a_known_state"),
            models.CheckConstraint(condition=Q(late_after__gte=dt.timedelta()), name="late_after_is_not_negative"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Recipient(models.Model):
    """A patient named by a Schedule (cohorts are looked up when planning)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", db_index=False)
    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="recipient_rows", db_index=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="recipient_rows")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "patient"], name="recipient_once_in_a_schedule")]

    def __str__(self) -> str:
        return str(self.id)


class Version(models.Model):
    """A wording of a Schedule. The text is stored here once, for all Messages that have it."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", db_index=False)
    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    text = SealedField("schedules.Version.text")
    buttons = SealedField("schedules.Version.buttons", null=True)
    """The answer buttons in the form of buttons.py; null: none."""
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "number"], name="version_number_once_in_a_schedule")]

    def __str__(self) -> str:
        return f"{self.schedule_id} version {self.number}"


class Message(models.Model):
    """The delivery of one Occurrence to one Patient, a single message of the short form, or an answer.

    `due_at` is the time that people see. The next try may begin at `ready_at`, which is later than `due_at` after a
    transient failure. From `late_at` on, the Message is too late and is not sent. A lease is a Dispatcher's hold on a
    pending row during an Attempt: `open_attempt_id` names the Attempt, `lease_until` is the lease's end. No index
    contains these two columns, so that PostgreSQL updates no index when they change ("heap-only tuples").
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="messages", db_index=False)
    schedule = models.ForeignKey(Schedule, models.PROTECT, null=True, related_name="messages", db_index=False)
    version = models.ForeignKey(Version, models.PROTECT, null=True, related_name="messages", db_index=False)
    patient = models.ForeignKey(Patient, models.PROTECT, null=True, related_name="messages", db_index=False)
    occurrence = models.CharField(max_length=19, blank=True, default="")
    lane = models.PositiveSmallIntegerField(choices=Lane)
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    reason = models.CharField(max_length=24, blank=True, default="")
    """A Reason's code. The column has no choices, so that a new code needs no migration."""
    due_at = models.DateTimeField()
    ready_at = models.DateTimeField()
    late_at = models.DateTimeField()
    quiet_hours = models.CharField(max_length=8, choices=Quiet, default=Quiet.IGNORE)
    if_unknown = models.CharField(max_length=8, choices=IfUnknown, default=IfUnknown.HOLD)
    text = SealedField("schedules.Message.text", null=True)
    """The text of an answer, of a single message, or of a message that a person edited; null: the version's."""
    buttons = models.JSONField(null=True)
    """Telegram's inline keyboard, in the clear: rows of {text, callback_data} with our own words alone. A schedule's
    Message has the version's buttons; a Message that shows an answer has it in its text. Both are sealed.
    """
    telegram_id = models.BigIntegerField(null=True)
    """The chat of an answer to a stranger; null: the patient's chat at the time of sending."""
    by_hand = models.BooleanField(default=False)
    """True if a person edited, sent or retried the Message. The Planner then doesn't remove it or change its text."""
    time_by_hand = models.BooleanField(default=False, db_default=False)
    """True if a person chose the time. The Planner then doesn't move the Message."""
    answers_stop_or_start = models.BooleanField(default=False)
    """True if the Message answers a STOP or a Start: only such a Message may go to a patient who opted out."""
    follows = models.ForeignKey("self", models.PROTECT, null=True, related_name="followed_by", db_index=False)
    """The Message that this Message repeats, or whose buttons it replaces. `schedule` is then null; see `version`."""
    follow_kind = models.CharField(max_length=8, choices=Follow, blank=True, default="", db_default="")
    answer_by = models.DateTimeField(null=True)
    """The instant until which an answer is awaited. It is set when the Message is sent (listener/unanswered.py)."""
    answered_at = models.DateTimeField(null=True)
    held_by_restore = models.BooleanField(default=False, db_default=False)
    """True if the outcome is unknown because of a restore: the Message may have been sent before the restore."""
    no_trace_at = models.DateTimeField(null=True)
    """The time at which Telegram showed that it has no trace of the Attempts with unknown outcome."""
    created_by_kind = models.CharField(max_length=16, blank=True, default="")
    created_by_name = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    telegram_message_id = models.BigIntegerField(null=True)
    tries = models.PositiveIntegerField(default=0)
    resends = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    open_attempt_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "patient", "occurrence"], name="one_message_per_occurrence"),
            models.UniqueConstraint(
                fields=["follows", "follow_kind"],
                condition=Q(follows__isnull=False),
                name="message_followed_once_of_a_kind",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="message_has_a_known_status"),
            models.CheckConstraint(
                condition=Q(status__in=["failed", "cancelled"], reason__gt="")
                | Q(status__in=["pending", "sent"], reason=""),
                name="message_that_failed_says_why",
            ),
            models.CheckConstraint(
                condition=Q(status="pending") | Q(lease_until__isnull=True), name="only_pending_messages_are_held"
            ),
        ]
        indexes = [
            models.Index(
                fields=["clinic", "lane", "ready_at", "id"], name="messages_in_line", condition=Q(status="pending")
            ),
            models.Index(fields=["late_at"], name="messages_to_expire", condition=Q(status="pending")),
            models.Index(fields=["answer_by"], name="messages_unanswered", condition=Q(answer_by__isnull=False)),
            models.Index(fields=["clinic", "due_at", "id"], name="messages_by_due"),
            models.Index(fields=["clinic", "status", "due_at", "id"], name="messages_by_status"),
            models.Index(
                fields=["clinic", "ended_at", "reason"], name="messages_failed_by_end", condition=Q(status="failed")
            ),
            models.Index(fields=["patient", "due_at", "id"], name="messages_of_a_patient"),
            models.Index(fields=["schedule", "due_at", "id"], name="messages_of_a_schedule"),
            models.Index(fields=["schedule", "occurrence"], name="messages_by_hand", condition=Q(by_hand=True)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Attempt(models.Model):
    """A try to deliver a Message, and its evidence: committed before the request is sent, closed after the answer.

    No index contains the columns that closing changes, so that PostgreSQL updates no index then.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    # These have no constraints in the database: PostgreSQL would lock both rows again for each Attempt. The only
    # statement that writes Attempts takes both ids from the locked row of the Message (delivery/store.py). A Message
    # with an Attempt is never deleted (delivery/lifecycle.py).
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    message = models.ForeignKey(Message, models.PROTECT, related_name="attempts", db_index=False, db_constraint=False)
    number = models.PositiveIntegerField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=16, choices=AttemptOutcome, blank=True, default="")
    text = SealedField("schedules.Attempt.text")
    telegram_id = models.BigIntegerField()
    telegram_message_id = models.BigIntegerField(null=True)
    error_code = models.IntegerField(null=True)
    note = models.CharField(max_length=100, blank=True, default="")
    """The failure of the connection, as a sentence."""
    description = SealedField("schedules.Attempt.description", null=True)
    """Telegram's description of an error, sealed since it may quote the text."""
    asked = models.JSONField(null=True)
    """The message numbers for which Telegram said that it has no message, each with the time of the last answer."""
    no_trace_at = models.DateTimeField(null=True)
    """The time at which Telegram showed that it has no trace of this Attempt."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "number"], name="attempt_number_once_in_a_message"),
            models.CheckConstraint(condition=Q(outcome__in=AttemptOutcome.values), name="attempt_has_a_known_outcome"),
        ]
        indexes = [
            models.Index(fields=["clinic", "telegram_id", "began_at"], name="attempts_of_a_chat"),
            models.Index(fields=["clinic", "began_at"], name="attempts_by_begin"),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} attempt {self.number}"
