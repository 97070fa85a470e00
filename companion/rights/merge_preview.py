"""Preview a merge of two patients: both plans, what gives way, and what people should know. Changes nothing."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient
from companion.planning import listing
from companion.planning.listing import Item
from companion.rights import merging, same_occurrence
from companion.rights.one_of_two import One, one_of
from companion.rights.same_occurrence import Twice
from companion.schedules.queries import MessageFilter

SHOWN: Final = 10
"""Coming messages of each patient."""
_AHEAD: Final = dt.timedelta(days=731)


@dataclass(frozen=True, slots=True)
class Preview:
    """The two patients, the plan of each, and what becomes of them."""

    gone: Patient
    stays: Patient
    coming_of_gone: list[Item]
    coming_of_stays: list[Item]
    twice: list[Twice]
    """Messages of one Occurrence: one of each two gives way."""
    one: One
    obstacle: str
    """The reason why they can't be merged; empty if they can."""


def preview(caller: Caller, gone: Patient, stays: Patient, *, now: dt.datetime) -> Preview:
    """Show what the merge would do. Raises NotAllowed for a viewer."""
    caller.needs(Role.PROVIDER)
    return Preview(
        gone,
        stays,
        _coming(caller.clinic, gone, now),
        _coming(caller.clinic, stays, now),
        same_occurrence.found(gone, stays),
        one_of(gone, stays),
        merging.obstacle(gone, stays),
    )


def _coming(clinic: Clinic, patient: Patient, now: dt.datetime) -> list[Item]:
    pending = MessageFilter(patient=patient.pk, status="pending")
    return listing.page(clinic, pending, now + _AHEAD, limit=SHOWN).items
