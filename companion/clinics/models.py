"""The tenant: a Clinic with its Bot, Members, API keys and audit trail. access.py says who may do what."""

import datetime as dt

from django.conf import settings
from django.db import models
from django.db.models import Q

from companion.clinics.ids import new_id
from companion.clinics.sealed import KeyedHashField, SealedField


class Role(models.TextChoices):
    """The rights of a Member or an API key; each role includes the roles before it."""

    VIEWER = "viewer", "Viewer"
    PROVIDER = "provider", "Provider"
    ADMIN = "admin", "Admin"


class Demand(models.TextChoices):
    """The members who need a second factor to sign in to a Clinic."""

    NOBODY = "", "Nobody"
    ADMINS = "admins", "Admins"
    ALL = "all", "All members"


class Clinic(models.Model):
    """The tenant. Nothing crosses clinics."""

    id = models.UUIDField(primary_key=True, default=new_id)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    timezone = models.CharField(max_length=64, default="UTC")
    language = models.CharField(max_length=16, default="en")
    quiet_from = models.TimeField(default=dt.time(21))
    quiet_until = models.TimeField(default=dt.time(8))
    country = models.CharField(max_length=2, blank=True, default="", db_default="")
    """ISO 3166-1: the country whose weekends and public holidays are days off; empty: no holidays are known."""
    region = models.CharField(max_length=32, blank=True, default="", db_default="")
    closed_days = models.JSONField(default=list, db_default=[])
    """The days on which the clinic is closed, as ISO dates."""
    planned_with = models.CharField(max_length=64, blank=True, default="", db_default="")
    """The versions of the time zone and holiday data with which its plans were made (times/workdays.py)."""
    consent_required = models.BooleanField(default=False)
    urgent_words = models.JSONField(default=list, db_default=[])
    """Words by which a patient asks for urgent help; ignored while there is no number to call."""
    urgent_phone = models.CharField(max_length=40, blank=True, default="", db_default="")
    """The number that such a patient is told to call."""
    second_factor = models.CharField(max_length=8, choices=Demand, blank=True, default="", db_default="")
    """The members who must sign in with a second factor (second_factors.py)."""
    demo = models.BooleanField(default=False)
    """The clinic holds invented patients, so no real bot may ever serve it."""
    sending_paused_at = models.DateTimeField(null=True)
    sending_paused_by = models.CharField(max_length=200, blank=True)
    archived_at = models.DateTimeField(null=True)
    """The time at which the operator archived it: its plans have ended, and no member, key or bot can use it."""
    set_up_at = models.DateTimeField(null=True)
    """The time at which an admin gave its name, country, zone and urgent number; null: the pages ask for them first."""
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.slug


class Closed(models.TextChoices):
    """The reasons why a Bot sends nothing for now."""

    NOT_CLOSED = "", "open"
    RETRY_AFTER = "retry_after", "Telegram asked us to wait"
    CIRCUIT = "circuit", "Telegram can't be reached"
    HANGING = "hanging", "Telegram takes requests and doesn't answer"
    UNAUTHORIZED = "unauthorized", "Telegram refuses the bot's token"


class OtherReader(models.TextChoices):
    """The other programs that can take a Bot's updates, so that the listener doesn't get them."""

    NOBODY = "", "Nobody"
    PROGRAM = "program", "Another program"
    WEBHOOK = "webhook", "A webhook"


class Bot(models.Model):
    """A Clinic's Telegram bot. By this row all dispatchers decide when the next message may leave."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.OneToOneField(Clinic, models.CASCADE, related_name="bot")
    token = SealedField("clinics.Bot.token")
    telegram_id = models.BigIntegerField(unique=True)
    """The number before the colon of its token. A bot belongs to only one clinic."""
    username = models.CharField(max_length=64, blank=True)
    sandbox = models.BooleanField(default=False)
    next_slot_at = models.DateTimeField(null=True)
    closed_until = models.DateTimeField(null=True)
    closed_why = models.CharField(max_length=16, choices=Closed, blank=True, default="")
    last_answer_at = models.DateTimeField(null=True)
    next_update_id = models.BigIntegerField(default=0)
    """The listener's offset: all updates below it are handled."""
    other_reader = models.CharField(max_length=16, choices=OtherReader, blank=True, default="", db_default="")
    """Another reader, and when Telegram first and last reported it. Set by listener/other_readers.py."""
    other_reader_since = models.DateTimeField(null=True)
    other_reader_at = models.DateTimeField(null=True)
    numbers_since = models.DateTimeField(null=True)
    """The instant since which we know the numbers of all its messages (numbers.py), because no other program used the
    bot; null: we don't know them.
    """
    next_probe_at = models.DateTimeField(null=True)
    """The instant from which Telegram may be asked for the next trace (dispatch/probing.py)."""

    def __str__(self) -> str:
        return f"bot {self.telegram_id}"


class HeardNumber(models.Model):
    """The number of a message that a Bot received. Changed by numbers.py.

    Telegram numbers all messages of a bot's private chats, sent and received, with one counter.
    """

    bot = models.ForeignKey(Bot, models.CASCADE, related_name="heard_numbers", db_index=False)
    number = models.BigIntegerField()
    given_at = models.DateTimeField(null=True)
    """The message's date by Telegram's clock; null if Telegram didn't say."""
    heard_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bot", "number"], name="heard_number_once_of_a_bot")]

    def __str__(self) -> str:
        return str(self.number)


class FormerBot(models.Model):
    """A bot that a Clinic had before its present one. opt_outs.py looks for it when another Clinic connects it."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="former_bots", db_index=False)
    telegram_id = models.BigIntegerField()
    left_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["telegram_id", "clinic"], name="former_bot_once_in_a_clinic")]

    def __str__(self) -> str:
        return f"bot {self.telegram_id}"


class OptOut(models.Model):
    """A chat's STOP: the chat gets no message for any patient, only the answer to STOP or Start.

    The row names no patient, so it holds for every patient of that chat, and stays when a patient is erased. Changed by
    opt_outs.py.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="opt_outs", db_index=False)
    chat = KeyedHashField()
    """A keyed hash of the chat's Telegram ID: the opt-out's permanent key."""
    telegram_id = models.BigIntegerField(null=True)
    """The chat's Telegram ID; None if the clinic doesn't know it."""
    at = models.DateTimeField()
    source = models.CharField(max_length=64)
    """The origin of the opt-out: "patient: STOP"."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["clinic", "chat"], name="opt_out_once_of_a_chat"),
            models.UniqueConstraint(fields=["clinic", "telegram_id"], name="opt_out_once_of_a_telegram_id"),
        ]
        indexes = [models.Index(fields=["clinic", "-at", "-id"], name="opt_outs_by_time")]

    def __str__(self) -> str:
        return str(self.id)


class Member(models.Model):
    """A person who signs in, with a role in one clinic."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)
    created_at = models.DateTimeField()
    joined_at = models.DateTimeField(null=True)
    """The time at which the person accepted the invitation; null: the person has no access yet."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["clinic", "user"], name="member_once_in_a_clinic"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="member_has_a_known_role"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class KnownDevice(models.Model):
    """A browser in which a person has signed in before. It has a cookie; the hash of the cookie is stored here."""

    id = models.UUIDField(primary_key=True, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    secret_hash = models.CharField(max_length=64)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "secret_hash"], name="device_once_of_a_person")]

    def __str__(self) -> str:
        return str(self.id)


class KeyKind(models.TextChoices):
    """The kind of installation in which a key works: for real patients, or with the Sandbox."""

    LIVE = "live", "Live"
    PRACTICE = "practice", "Practice"


class Scope(models.TextChoices):
    """The parts of the API to which a key can be limited."""

    MESSAGES = "messages", "Schedules and messages"
    PATIENTS = "patients", "Patients"
    INBOX = "inbox", "Conversations"
    CONTROL = "control", "Control Panel and metrics"


class ApiKey(models.Model):
    """A program's access. Only the hash is stored; the key itself is shown once."""

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    role = models.CharField(max_length=16, choices=Role)
    secret_hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=24, blank=True, default="", db_default="")
    """The beginning of the key, by which people recognise it; empty for keys made before prefixes were kept."""
    kind = models.CharField(max_length=8, choices=KeyKind, blank=True, default="", db_default="")
    """Empty for keys made before there were kinds; they work everywhere."""
    scopes = models.JSONField(default=list, db_default=[])
    """The Scopes to which the key is limited; empty: no limit."""
    networks = models.JSONField(default=list, db_default=[])
    """The networks from which the key may be used, in CIDR notation; empty: all networks."""
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["clinic", "name"], name="api_key_name_once_in_a_clinic"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="api_key_has_a_known_role"),
        ]

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """The record of one act or one reading: who, when, from where, what, and to which row. Added only by audit.py.

    Never holds a text, a patient's name or a token. The database refuses to change or remove an entry. It outlives
    its clinic, so the clinic's id is no foreign key for the database.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.DO_NOTHING, related_name="audit_entries", db_constraint=False)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    """The Member or the API key; null: a service, a command, or an entry from before this column."""
    actor_name = models.CharField(max_length=200)
    on_behalf_of = models.CharField(max_length=200, default="", db_default="")
    """The person for whom a program acted."""
    address = models.CharField(max_length=64, default="", db_default="")
    """The client's IP address, or the operator's login name on the server; empty for an act of a service."""
    action = models.CharField(max_length=64)
    reading = models.BooleanField(default=False, db_default=False)
    """True if the actor only read."""
    subject_kind = models.CharField(max_length=32)
    subject_id = models.UUIDField(null=True)
    changes = models.JSONField(default=dict, db_default={})
    """The changed values by name: [before, after], or "changed" for health data."""
    key_id = models.CharField(max_length=16, default="", db_default="")
    """Names the key of `seal` and `hash`."""
    seal = models.CharField(max_length=64, default="", db_default="")
    """A keyed hash of all values above; empty: an entry from before the chain, until the migration chains it."""
    number = models.BigIntegerField(null=True)
    """The entry's place in its clinic's chain, from 1 on; null: the entry isn't chained yet (chain.py)."""
    hash = models.CharField(max_length=64, default="", db_default="")
    """A keyed hash of the hash before it, the number and the seal."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "number"], name="audit_entry_once_in_a_chain", condition=Q(number__isnull=False)
            )
        ]
        indexes = [
            models.Index(fields=["clinic", "-at"], name="audit_by_time"),
            models.Index(fields=["clinic", "subject_id", "at"], name="audit_of_a_subject"),
            models.Index(fields=["clinic", "id"], name="audit_to_chain", condition=Q(number__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_id}"


class MarkKind(models.TextChoices):
    """The kinds of rows that a Mark can be about."""

    SCHEDULE = "schedule", "A schedule"
    PATIENT = "patient", "A patient"
    COHORT = "cohort", "A cohort"
    CLINIC = "clinic", "A clinic"


class Mark(models.Model):
    """A note that plans may have changed, written in the transaction of the change. The Planner works it off.

    `subject_id` is the row that changed. It is no foreign key, because the rooms with those rows lie above this room.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    clinic = models.ForeignKey(Clinic, models.CASCADE, related_name="marks")
    kind = models.CharField(max_length=16, choices=MarkKind)
    subject_id = models.UUIDField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["subject_id"], name="marks_on_a_subject"),
            models.Index(fields=["created_at"], name="marks_by_age"),
        ]
        constraints = [models.CheckConstraint(condition=Q(kind__in=MarkKind.values), name="mark_has_a_known_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"
