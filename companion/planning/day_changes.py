"""The days on which a patient gets no message, or a second message, because plans changed. Pure functions.

They are shown as the warnings `none_today` and `again_today` (warnings.py). replan.py makes the change.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from companion.planning.occurrences import Coming
from companion.schedules.models import Message, Status
from companion.times import walls


class Key(NamedTuple):
    """A patient and the name of an Occurrence. They name a Message of a Schedule."""

    patient: uuid.UUID
    occurrence: str


@dataclass(slots=True)
class DayChanges:
    """The patients whose days a change of plans makes unusual."""

    none_today: set[uuid.UUID] = field(default_factory=set)
    """Patients who would have got a message today, and now get none."""
    again_today: set[uuid.UUID] = field(default_factory=set)
    """Patients who have already got today's message, and now get another message today."""
    none_on: dict[uuid.UUID, dt.date] = field(default_factory=dict)
    """The patient's next day without a message, because its Occurrence was already sent by the time of another zone."""

    def add(self, other: "DayChanges") -> None:
        """Add the changes for another batch of patients."""
        self.none_today |= other.none_today
        self.again_today |= other.again_today
        self.none_on |= other.none_on


def day_changes(
    there: Mapping[Key, Message],
    wanted: Mapping[Key, Coming],
    unwanted: Set[Key],
    zones: Mapping[uuid.UUID, str],
    now: dt.datetime,
) -> DayChanges:
    """Compare the Messages before the change (`there`) with those after it (`wanted`, except those that have ended).

    `unwanted`: the Messages that the change removes. Days are days in the patients' `zones`.
    """

    def day(patient: uuid.UUID, at: dt.datetime) -> dt.date:
        return walls.local(at, zones[patient]).date()

    today = {patient: day(patient, now) for patient in zones}
    finished = {key for key, message in there.items() if message.status != Status.PENDING}
    coming = {(key.patient, day(key.patient, due.due_at)) for key, due in wanted.items() if key not in finished}
    sent = {(p, day(p, m.due_at)): o[:10] for (p, o), m in there.items() if m.status == Status.SENT}

    found = DayChanges()
    for key in unwanted:
        patient, on = key.patient, day(key.patient, there[key].due_at)
        if on == today[patient] and (patient, on) not in coming:
            found.none_today.add(patient)
    for key, due in sorted(wanted.items(), key=lambda item: item[1].due_at, reverse=True):
        patient, on = key.patient, day(key.patient, due.due_at)
        if key in finished:
            if there[key].status == Status.SENT and (patient, on) not in coming and (patient, on) not in sent:
                found.none_on[patient] = on
        elif on == today[patient] and (patient, on) in sent:
            # A series may have several times a day. It is a surprise only if the change creates the Message, or moves
            # it here from another day.
            made = key not in there
            moved = not made and day(patient, there[key].due_at) != on and sent[patient, on] != key.occurrence[:10]
            if made or moved:
                found.again_today.add(patient)
    return found
