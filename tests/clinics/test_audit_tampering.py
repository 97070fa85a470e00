"""`companion audit verify` after somebody changed the audit trail by SQL: it finds the entry and names it."""

import datetime as dt
import re
import uuid
from collections.abc import Callable

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.clinics.models import AuditEntry, Clinic
from companion.clinics.seals import COLUMNS
from tests.builders import NOW, a_clinic
from tests.clinics.trails import a_trail, act, rule_lifted, sql, the_head, verify

pytestmark = pytest.mark.django_db


def _change(entries: list[AuditEntry], at: int) -> str:
    sql("UPDATE clinics_auditentry SET action = 'clinic renamed' WHERE id = %s", entries[at].id)
    return f"Entry {at + 1}: changed"


def _backdate(entries: list[AuditEntry], at: int) -> str:
    sql("UPDATE clinics_auditentry SET at = %s WHERE id = %s", NOW - dt.timedelta(minutes=1), entries[at].id)
    return f"Entry {at + 1}: changed"


def _blame_another(entries: list[AuditEntry], at: int) -> str:
    sql("UPDATE clinics_auditentry SET actor_name = 'Somebody Else' WHERE id = %s", entries[at].id)
    return f"Entry {at + 1}: changed"


def _remove(entries: list[AuditEntry], at: int) -> str:
    sql("DELETE FROM clinics_auditentry WHERE id = %s", entries[at].id)
    return f"Entry {at + 1}: missing"


def _remove_and_close_the_gap(entries: list[AuditEntry], at: int) -> str:
    sql("DELETE FROM clinics_auditentry WHERE id = %s", entries[at].id)
    for entry in entries[at + 1 :]:
        sql("UPDATE clinics_auditentry SET number = number - 1 WHERE id = %s", entry.id)
    return f"(Entry|Entries) {at + 1}( to {len(entries) - 1})?: not at its place"


def _swap(entries: list[AuditEntry], at: int) -> str:
    first, other = entries[at], entries[at + 1]
    sql("UPDATE clinics_auditentry SET number = 1000 WHERE id = %s", first.id)
    sql("UPDATE clinics_auditentry SET number = %s WHERE id = %s", first.number, other.id)
    sql("UPDATE clinics_auditentry SET number = %s WHERE id = %s", other.number, first.id)
    return f"(Entry|Entries) {at + 1}( to [0-9]+)?: not at its place"


_COPY = (
    f"INSERT INTO clinics_auditentry ({', '.join(COLUMNS)}, key_id, seal, number, hash) "
    f"SELECT %s, {', '.join(COLUMNS[1:])}, key_id, seal, {{number}}, hash FROM clinics_auditentry WHERE id = %s"
)


def _insert(entries: list[AuditEntry], at: int) -> str:
    forged = uuid.uuid4()
    sql(_COPY.format(number="NULL"), forged, entries[at].id)
    return f"Not made by this product: .*{forged}"


def _insert_between(entries: list[AuditEntry], at: int) -> str:
    for entry in reversed(entries[at:]):
        sql("UPDATE clinics_auditentry SET number = number + 1 WHERE id = %s", entry.id)
    sql(_COPY.format(number=str(at + 1)), uuid.uuid4(), entries[at].id)
    return f"Entry {at + 1}: changed"


def _move_to_another_clinic(entries: list[AuditEntry], at: int) -> str:
    sql("UPDATE clinics_auditentry SET clinic_id = %s WHERE id = %s", a_clinic().pk, entries[at].id)
    return f"Entry {at + 1}: missing"


def _cut_the_beginning(entries: list[AuditEntry], at: int) -> str:
    for entry in entries[: at + 1]:
        sql("DELETE FROM clinics_auditentry WHERE id = %s", entry.id)
    return f"(Entry 1|Entries 1 to {at + 1}): missing"


def _cut_the_beginning_and_count_anew(entries: list[AuditEntry], at: int) -> str:
    _cut_the_beginning(entries, at)
    for entry in entries[at + 1 :]:
        sql(f"UPDATE clinics_auditentry SET number = number - {at + 1} WHERE id = %s", entry.id)
    return "(Entry|Entries) 1.*: not at its place"


def _replace_a_hash(entries: list[AuditEntry], at: int) -> str:
    sql("UPDATE clinics_auditentry SET hash = seal WHERE id = %s", entries[at].id)
    return f"(Entry|Entries) {at + 1}( to {at + 2})?: not at its place"


def _replace_the_newest_hash(entries: list[AuditEntry], at: int) -> str:
    return _replace_a_hash(entries, len(entries) - 1)


def _replace_a_seal(entries: list[AuditEntry], at: int) -> str:
    sql("UPDATE clinics_auditentry SET seal = hash WHERE id = %s", entries[at].id)
    return f"Entry {at + 1}: changed"


def _swap_two_clinics(entries: list[AuditEntry], at: int) -> str:
    other = a_clinic()
    others = a_trail(other, len(entries))
    sql("UPDATE clinics_auditentry SET number = number + 1000 WHERE clinic_id = %s", other.pk)
    for entry in others:
        sql("UPDATE clinics_auditentry SET clinic_id = %s WHERE id = %s", entries[0].clinic_id, entry.id)
    for entry in entries:
        sql("UPDATE clinics_auditentry SET clinic_id = %s WHERE id = %s", other.pk, entry.id)
    sql("UPDATE clinics_auditentry SET number = number - 1000 WHERE number > 1000")
    return f"Entries 1 to {len(entries)}: changed"


def _chain_by_hand(entries: list[AuditEntry], at: int) -> str:
    clinic = Clinic.objects.get(pk=entries[0].clinic_id)
    act(clinic)
    sql("UPDATE clinics_auditentry SET number = %s, hash = seal WHERE number IS NULL", len(entries) + 1)
    return f"Entry {len(entries) + 1}: not at its place"


@settings(max_examples=120)
@given(
    acts=st.integers(4, 8),
    at=st.integers(0, 2),
    tamper=st.sampled_from(
        [
            _change,
            _backdate,
            _blame_another,
            _remove,
            _remove_and_close_the_gap,
            _swap,
            _insert,
            _insert_between,
            _move_to_another_clinic,
            _cut_the_beginning,
            _cut_the_beginning_and_count_anew,
            _replace_a_hash,
            _replace_the_newest_hash,
            _replace_a_seal,
            _swap_two_clinics,
            _chain_by_hand,
        ]
    ),
)
def test_each_change_to_the_trail_is_found_and_named(
    acts: int, at: int, tamper: Callable[[list[AuditEntry], int], str]
) -> None:
    with transaction.atomic():
        clinic = a_clinic()
        entries = a_trail(clinic, acts)

        with rule_lifted():
            expected = tamper(entries, at)

        said = verify()
        assert said.exit_code == 1
        assert re.search(expected, said.output), said.output
        transaction.set_rollback(True)


def test_a_forged_entry_keeps_no_true_one_out_of_the_chain(clinic: Clinic) -> None:
    with rule_lifted():
        _insert(a_trail(clinic, 1), 0)

    act(clinic)

    assert the_head(clinic).number == 2
