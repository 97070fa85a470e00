"""The changes that one row of an import or a source makes to its patient. upsert.py writes them, many at once.

A changed patient is an object whose columns differ from those that are stored.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.refusals import Problem, Refused
from companion.patients import directory, former_chats
from companion.patients.fields import Given
from companion.patients.models import Consent, ConsentChange, FormerChat, Patient

ADDED: Final = "added"
LEFT: Final = "left"
_WORDS: Final = {
    "name": "name",
    "birth_date": "birth date",
    "phone": "phone",
    "telegram_id": "Telegram ID",
    "caregiver": "caregiver",
    "timezone": "time zone",
    "language": "language",
    "left_at": "back again",
}
"""The words for changed columns in a report, in the order in which the report names them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A patient with valid values. `line` is the row's line in the file (the header is line 1), or its number."""

    line: int
    given: Given = field(repr=False)
    left: bool = False
    """True if the patient left or died; then only the external id counts."""
    keeps_enrolled: bool = False
    """True if a Telegram ID that came from the patient's own Start stays, even if the row has another ID."""

    def without_telegram_id(self) -> "Entry":
        """The row as if it had no Telegram ID."""
        given = self.given.copy()
        del given["telegram_id"]
        return Entry(self.line, given)


@dataclass(frozen=True, slots=True)
class RowChanges:
    """The changes to be written for one row."""

    patient: Patient
    cohorts: frozenset[str] | None
    """The new cohorts; None: unchanged."""
    history: tuple[ConsentChange, ...]
    what: str
    """The change in words."""
    audited: audit.Changes
    """The change as the audit trail has it."""
    marked: bool
    left_chat: FormerChat | None = None
    """The former chat, if the patient has a new chat."""
    new_chat: bool = False

    @property
    def added(self) -> bool:
        """Return whether the patient is new."""
        return self.what == ADDED

    @property
    def left(self) -> bool:
        """Return whether the patient has newly left."""
        return self.what == LEFT


def leaving(patient: Patient | None, *, now: dt.datetime) -> RowChanges | None:
    """Return the change by which a patient leaves; None if the patient has left or is not in the directory."""
    if patient is None or patient.left_at is not None:
        return None
    patient.left_at = now
    return RowChanges(patient, None, (), LEFT, audit.differences({}, {"left_at": now}), marked=True)


def changes_of(
    caller: Caller,
    read: Entry,
    existing: Patient | None,
    held: frozenset[str],
    owners: dict[int, str],
    stopped: frozenset[int],
    *,
    now: dt.datetime,
) -> RowChanges | None:
    """Return the changes of this row, or None. Enters the row's Telegram ID into `owners`. Raises Refused.

    `stopped` holds the chats that have opted out.
    """
    values = directory.completed(caller.clinic, read.given, existing=existing, cohorts=tuple(held))
    _claim(values, existing, owners)
    patient = existing or Patient(clinic=caller.clinic, created_at=now)
    before = _columns_of(patient)
    source = f"import by {directory.source_of(caller)}"[:64]
    history = directory.put(patient, values, opted_out=values.telegram_id in stopped, source=source, now=now)
    patient.left_at = None
    cohorts = frozenset(values.cohorts)
    after = _columns_of(patient)
    if existing and before == after and cohorts == held:
        return None
    moved = any(before[column] != after[column] for column in ("timezone", "left_at", "telegram_id"))
    return RowChanges(
        patient,
        cohorts if cohorts != held else None,
        tuple(history),
        ADDED if existing is None else _in_words(before, after, cohorts != held),
        directory.audited_changes(before if existing else {}, after, moved=cohorts != held),
        marked=cohorts != held or (existing is not None and moved),
        left_chat=_left_chat(patient, before, now),
        new_chat=before["telegram_id"] != after["telegram_id"],
    )


def _left_chat(patient: Patient, before: Mapping[str, object], now: dt.datetime) -> FormerChat | None:
    chat, agreed = before["telegram_id"], before["consent"] == Consent.GIVEN
    if not isinstance(chat, int) or chat == patient.telegram_id:
        return None
    return former_chats.left(patient, chat, agreed=agreed, now=now)


def _in_words(before: Mapping[str, object], after: Mapping[str, object], moved: bool) -> str:
    columns = [words for column, words in _WORDS.items() if before[column] != after[column]]
    return ", ".join([*columns, "cohorts"] if moved else columns)


def _claim(values: directory.PatientValues, existing: Patient | None, owners: dict[int, str]) -> None:
    """Enter the new owner of the Telegram ID. Raises Refused if it is another patient's and no caregiver is named."""
    wanted = None if values.caregiver else values.telegram_id
    owner = owners.get(wanted, values.external_id) if wanted else values.external_id
    if owner != values.external_id:
        raise Refused(Problem("telegram_id", directory.TELEGRAM_ID_TAKEN.format(external_id=owner)))
    if existing and existing.telegram_id and owners.get(existing.telegram_id) == existing.external_id:
        del owners[existing.telegram_id]
    if wanted:
        owners[wanted] = values.external_id


def _columns_of(patient: Patient) -> dict[str, object]:
    return {column: getattr(patient, column) for column in directory.COLUMNS}
