"""Preview a merge of two patients: both plans, the messages that are removed, and what people should know.

Nothing is changed here.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient
from companion.planning import listing
from companion.planning.listing import Item
from companion.rights import merging, same_occurrence
from companion.rights.one_of_two import MergedValues, merged_values
from companion.rights.same_occurrence import Twice
from companion.schedules.queries import MessageFilter

SHOWN: Final = 10
"""The number of coming messages that are shown for each patient."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The two patients, the plan of each, and the result of the merge."""

    gone: Patient
    stays: Patient
    coming_of_gone: list[Item]
    coming_of_stays: list[Item]
    twice: list[Twice]
    """Pairs of Messages of the same Occurrence. One Message of each pair gives way."""
    merged: MergedValues
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
        same_occurrence.of_both(gone, stays),
        merged_values(gone, stays),
        merging.obstacle(gone, stays),
    )


def _coming(clinic: Clinic, patient: Patient, now: dt.datetime) -> list[Item]:
    pending = MessageFilter(patient=patient.pk, status="pending")
    return listing.page(clinic, pending, now + listing.AHEAD, limit=SHOWN).items
