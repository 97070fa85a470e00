"""The database's facts about services and sending, read by a few queries of constant cost. judge.py judges them.

No bot's token and no text is opened here, because health must answer even with a wrong SECRET_KEY.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, field, replace
from typing import Final

from django.conf import settings
from django.db.models import DateTimeField, OuterRef, QuerySet, Subquery

from companion.clinics.models import Clinic, Mark
from companion.restoring.holding import PAUSED_BY
from companion.schedules.models import Attempt, Lane, Message, Status
from companion.service import drill
from companion.service.models import Heartbeat

ALIVE_FOR: Final = dt.timedelta(seconds=15)
"""A process whose last heartbeat is older counts as dead; services beat every 5 s."""
_REMEMBERED: Final = dt.timedelta(days=1)


_Moment = dt.datetime | None
_Row = tuple[
    uuid.UUID,
    bool | None,
    _Moment,
    str | None,
    _Moment,
    _Moment,
    _Moment,
    _Moment,
    _Moment,
    _Moment,
    _Moment,
    str | None,
    str,
]


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest heartbeat of a process."""

    kind: str
    host: str
    pid: int
    version: str
    health_url: str
    started_at: dt.datetime
    beat_at: dt.datetime
    state: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sending:
    """The state of one clinic's sending.

    `reminder_since` and `other_since`: since when the oldest reminder, and the oldest other message, has been ready.
    """

    clinic: uuid.UUID
    has_bot: bool
    bot_of_other_mode: bool
    """The bot can't send, because it is the Sandbox's bot and the Sandbox is off, or a real bot and it is on."""
    paused: bool
    restored: bool
    """Sending is paused because the database was restored."""
    closed_why: str
    closed_until: dt.datetime | None
    reminder_since: dt.datetime | None
    other_since: dt.datetime | None
    attempted_at: dt.datetime | None
    """The instant at which the newest Attempt ended."""
    marked_since: dt.datetime | None
    other_reader: str
    """The other program that receives the bot's updates (clinics' OtherReader); empty: none."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts, read at one moment."""

    beats: tuple[Beat, ...]
    clinics: tuple[Sending, ...]
    drill: bool = False
    """True if the services run in a drill."""

    def of(self, clinic: uuid.UUID | None) -> "Facts":
        """Return the facts that this clinic's people may know; None: all facts, for the operator."""
        return replace(self, clinics=tuple(sending for sending in self.clinics if clinic in (None, sending.clinic)))


def read(*, now: dt.datetime) -> Facts:
    """Read all facts. Raises django.db.Error if the database can't be asked."""
    processes = beats(now=now)
    return Facts(processes, _clinics(sandbox=sandbox_of(processes, now=now)), drill.is_on())


def sandbox_of(processes: tuple[Beat, ...], *, now: dt.datetime) -> bool:
    """Return whether the services run with the Sandbox on. A command may have other settings than the services."""
    for beat in processes:
        on = beat.state.get("sandbox")
        if isinstance(on, bool) and now - beat.beat_at <= ALIVE_FOR:
            return on
    return bool(settings.SANDBOX_ON)


def beats(*, now: dt.datetime) -> tuple[Beat, ...]:
    """The processes with a heartbeat within a day, the newest first."""
    rows = Heartbeat.objects.filter(beat_at__gt=now - _REMEMBERED).order_by("-beat_at", "-id")
    return tuple(
        Beat(row.kind, row.host, row.pid, row.version, row.health_url, row.started_at, row.beat_at, dict(row.state))
        for row in rows
    )


def clinics_query() -> QuerySet[Clinic, _Row]:
    """Read one index entry for each clinic and lane: the cost doesn't depend on the number of waiting messages."""
    return (
        Clinic.objects.filter(archived_at=None)
        .annotate(
            answer_since=_first(_pending(Lane.ANSWER), "ready_at"),
            reminder_since=_first(_pending(Lane.REMINDER), "ready_at"),
            stranger_since=_first(_pending(Lane.STRANGER), "ready_at"),
            broadcast_since=_first(_pending(Lane.BROADCAST), "ready_at"),
            attempted_at=Subquery(_newest_ends()[:1], output_field=DateTimeField(null=True)),
            marked_since=_first(Mark.objects.filter(clinic=OuterRef("pk")), "created_at"),
        )
        .values_list(
            "id",
            "bot__sandbox",
            "sending_paused_at",
            "bot__closed_why",
            "bot__closed_until",
            "answer_since",
            "reminder_since",
            "stranger_since",
            "broadcast_since",
            "attempted_at",
            "marked_since",
            "bot__other_reader",
            "sending_paused_by",
        )
    )


def _clinics(*, sandbox: bool) -> tuple[Sending, ...]:
    return tuple(
        Sending(
            clinic=clinic,
            has_bot=practice is sandbox,
            bot_of_other_mode=practice is (not sandbox),
            paused=paused_at is not None,
            restored=paused_at is not None and paused_by == PAUSED_BY,
            closed_why=why or "",
            closed_until=until,
            reminder_since=reminder,
            other_since=_earliest(answer, stranger, broadcast),
            attempted_at=attempted_at,
            marked_since=marked,
            other_reader=reader or "",
        )
        for (
            clinic,
            practice,
            paused_at,
            why,
            until,
            answer,
            reminder,
            stranger,
            broadcast,
            attempted_at,
            marked,
            reader,
            paused_by,
        ) in clinics_query()
    )


def _pending(lane: Lane) -> QuerySet[Message]:
    return Message.objects.filter(clinic=OuterRef("pk"), lane=lane, status=Status.PENDING)


def _newest_ends() -> QuerySet[Attempt, dt.datetime | None]:
    # Uses the index attempts_by_begin: ends have no index, and follow their begins within seconds.
    ended = Attempt.objects.filter(clinic=OuterRef("pk"), ended_at__isnull=False)
    return ended.order_by("-began_at").values_list("ended_at", flat=True)


def _first(rows: "QuerySet[Message] | QuerySet[Mark]", column: str) -> Subquery:
    return Subquery(rows.order_by(column).values(column)[:1], output_field=DateTimeField(null=True))


def _earliest(*moments: dt.datetime | None) -> dt.datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
