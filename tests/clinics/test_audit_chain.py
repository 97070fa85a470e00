"""`companion audit verify`: whatever somebody did to the audit trail by SQL, and which entry it was."""

import datetime as dt
import re
import uuid
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.clinics import audit, chain, chain_check, members
from companion.clinics.chain import Head
from companion.clinics.chain_check import KnownHead
from companion.clinics.models import AuditEntry, Clinic
from companion.clinics.seals import COLUMNS
from companion.journal import writing
from companion.journal.entries import Chained
from companion.panel import trail_heads
from companion.restoring import holding
from tests.builders import NOW, a_clinic
from tests.clinics.trails import a_trail, act, rule_lifted, sql, verify

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic(slug="linden")


def the_head(clinic: Clinic) -> Head:
    chain.catch_up(clinic.pk)
    head = chain.head(clinic.pk)
    assert head
    return head


def test_a_trail_that_nobody_touched_is_whole(clinic: Clinic) -> None:
    a_trail(clinic, 3)

    said = verify()

    assert said.exit_code == 0
    assert f"linden: the audit trail is whole (3 entries). The newest is {the_head(clinic)}." in said.output


def test_two_clinics_have_a_chain_each(clinic: Clinic) -> None:
    other = a_clinic()

    for one in (clinic, other, clinic):
        act(one)

    assert (the_head(clinic).number, the_head(other).number) == (2, 1)
    assert verify().exit_code == 0


def _change(entries: list[AuditEntry], at: int) -> str:
    sql("UPDATE clinics_auditentry SET action = 'clinic renamed' WHERE id = %s", entries[at].id)
    return f"Entry {at + 1}: changed"


def _backdate(entries: list[AuditEntry], at: int) -> str:
    sql("UPDATE clinics_auditentry SET at = %s WHERE id = %s", NOW - MINUTE, entries[at].id)
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
    one, other = entries[at], entries[at + 1]
    sql("UPDATE clinics_auditentry SET number = 1000 WHERE id = %s", one.id)
    sql("UPDATE clinics_auditentry SET number = %s WHERE id = %s", one.number, other.id)
    sql("UPDATE clinics_auditentry SET number = %s WHERE id = %s", other.number, one.id)
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
def test_whatever_is_done_to_the_trail_is_found_and_named(
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


def test_a_cut_off_end_is_found_by_the_hash_that_went_out(clinic: Clinic) -> None:
    entries = a_trail(clinic, 4)
    told = str(the_head(clinic))

    with rule_lifted():
        for entry in entries[2:]:
            sql("DELETE FROM clinics_auditentry WHERE id = %s", entry.id)

    assert verify().exit_code == 0
    said = verify("--last", told)
    assert said.exit_code == 1
    assert "Entries 3 to 4: cut off the end. The hash that you gave knows entry 4." in said.output


@pytest.mark.parametrize("told", ["x", "٣:" + "a" * 63, f"{'9' * 5000}:{'a' * 64}"])
def test_a_hash_that_nobody_told_is_refused_in_a_sentence(clinic: Clinic, told: str) -> None:
    said = verify("--last", told)

    assert said.exit_code == 2
    assert "Give it as it was reported" in said.output


def test_an_end_that_was_cut_off_and_made_anew_is_found(clinic: Clinic) -> None:
    entries = a_trail(clinic, 3)
    told = str(the_head(clinic))

    with rule_lifted():
        sql("DELETE FROM clinics_auditentry WHERE id = %s", entries[2].id)
    for _ in range(3):
        act(clinic)

    said = verify("--last", told)
    assert said.exit_code == 1
    assert "Entry 3: not the entry that the hash that you gave knows." in said.output


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_cut_off_end_is_found_by_the_hash_that_the_database_keeps_of_each_day(clinic: Clinic, left: int) -> None:
    entries = a_trail(clinic, 3)
    trail_heads.tell_daily(now=NOW)

    with rule_lifted():
        for entry in entries[left:]:
            sql("DELETE FROM clinics_auditentry WHERE id = %s", entry.id)

    said = verify()
    assert said.exit_code == 1
    assert "cut off the end. The hash told on 2026-12-01 knows entry 3." in said.output


def test_an_end_that_was_made_anew_is_found_by_the_hash_of_each_day(clinic: Clinic) -> None:
    entries = a_trail(clinic, 3)
    trail_heads.tell_daily(now=NOW)

    with rule_lifted():
        sql("DELETE FROM clinics_auditentry WHERE id = %s", entries[2].id)
    a_trail(clinic, 4)

    said = verify()
    assert said.exit_code == 1
    assert "Entry 3: not the entry that the hash told on 2026-12-01 knows." in said.output


def test_a_hash_of_a_day_that_was_replaced_is_found(clinic: Clinic) -> None:
    a_trail(clinic, 3)
    trail_heads.tell_daily(now=NOW)

    sql("UPDATE panel_trailhead SET number = 2")

    assert verify().exit_code == 1


def test_the_whole_trail_of_a_clinic_that_was_removed_with_it_is_missed(clinic: Clinic) -> None:
    a_trail(clinic, 2)
    trail_heads.tell_daily(now=NOW)
    other = a_clinic(slug="birch")
    a_trail(other, 1)

    with rule_lifted():
        sql("DELETE FROM clinics_auditentry WHERE clinic_id = %s", clinic.pk)

    said = verify()
    assert said.exit_code == 1
    assert "linden: the audit trail was tampered with (0 entries)." in said.output
    assert "birch: the audit trail is whole (1 entry)." in said.output


def test_a_cut_off_end_is_found_by_the_journal(clinic: Clinic, tmp_path: Path) -> None:
    entries = a_trail(clinic, 3)
    head = the_head(clinic)
    with writing.keeping(tmp_path, "dispatcher", 35):
        writing.write(Chained(NOW, clinic.pk, head.number, head.hash))

    with rule_lifted():
        sql("DELETE FROM clinics_auditentry WHERE id = %s", entries[2].id)

    said = verify("--journal", str(tmp_path))
    assert said.exit_code == 1
    assert "Entry 3: cut off the end. The Journal knows entry 3." in said.output


def test_the_end_that_a_restore_lost_is_no_tampering(clinic: Clinic) -> None:
    entries = a_trail(clinic, 3)
    head = the_head(clinic)
    with rule_lifted():
        sql("DELETE FROM clinics_auditentry WHERE id = %s", entries[2].id)
    holding.hold(taken_at=NOW - MINUTE, now=NOW + MINUTE)

    verdict = chain_check.check(clinic.pk, [KnownHead(head, "the Journal", NOW)])

    assert not verdict.wrong
    assert verdict.notes == [
        "Entry 3, known from the Journal, was lost when the database was restored at 2026-12-01 08:01 UTC."
    ]


def test_a_restore_excuses_no_cut_after_it(clinic: Clinic) -> None:
    a_trail(clinic, 1)
    holding.hold(taken_at=NOW - MINUTE, now=NOW)
    entries = a_trail(clinic, 2)
    head = the_head(clinic)

    with rule_lifted():
        sql("DELETE FROM clinics_auditentry WHERE id = %s", entries[-1].id)

    assert chain_check.check(clinic.pk, [KnownHead(head, "the Journal", NOW + MINUTE)]).wrong


def test_a_missing_key_is_said_as_such(clinic: Clinic) -> None:
    a_trail(clinic, 3)

    with override_settings(SECRET_KEY="another"):
        said = verify()

    assert said.exit_code == 2
    assert re.search("Entries 1 to 3: sealed by the secret key [0-9a-f]{12}, which is not known here", said.output)
    assert "give the named keys in COMPANION_OTHER_SECRET_KEYS" in said.output


def test_a_missing_key_hides_no_tampering_beside_it(clinic: Clinic) -> None:
    a_trail(clinic, 2)

    with override_settings(SECRET_KEY="another"):
        entries = a_trail(clinic, 2)
        with rule_lifted():
            _change(entries, 3)
        said = verify()

    assert said.exit_code == 1
    assert "Entry 4: changed" in said.output
    assert "leave the database as it is" in said.output


def test_an_entry_that_names_a_foreign_key_is_not_called_whole(clinic: Clinic) -> None:
    a_trail(clinic, 2)

    with rule_lifted():
        sql("UPDATE clinics_auditentry SET key_id = 'abcdefabcdef', action = 'clinic renamed' WHERE number = 2")

    said = verify()
    assert said.exit_code == 2
    assert "If no such key was ever in use here, somebody changed these entries." in said.output


def test_a_check_that_can_not_be_made_is_no_finding(clinic: Clinic) -> None:
    said = verify("--clinic", "nowhere")

    assert said.exit_code == 2
    assert "There is no clinic of this slug" in said.output


def test_entries_from_before_the_chain_are_chained_by_the_migration(clinic: Clinic) -> None:
    entries = a_trail(clinic, 3)
    with rule_lifted():
        sql("UPDATE clinics_auditentry SET number = NULL, hash = '', seal = '', key_id = ''")
    migration = import_module("companion.clinics.migrations.0022_audit_chained")

    for _ in range(2):  # as after a kill
        migration.chain_what_is_there(apps, connection.schema_editor())
    act(clinic)

    assert verify().exit_code == 0
    assert [entry.id for entry in AuditEntry.objects.order_by("number")][:3] == [entry.id for entry in entries]


def test_many_entries_at_once_are_chained_in_more_than_one_batch(clinic: Clinic) -> None:
    caller = members.command_line(clinic)

    told = {uuid.uuid4(): audit.NO_VALUE for _ in range(2500)}
    audit.record_many(caller, "patient changed by an import", "patient", told, now=NOW)

    assert the_head(clinic).number == 2500
    assert verify().exit_code == 0
