"""A cut-off end of the audit trail, which is found by the hashes that went out before, unless a restore lost it."""

import datetime as dt
from pathlib import Path

import pytest

from companion.clinics import chain_check
from companion.clinics.chain_check import KnownHead
from companion.clinics.models import Clinic
from companion.journal import writing
from companion.journal.entries import Chained
from companion.panel import trail_heads
from companion.restoring import holding
from tests.builders import NOW, a_clinic
from tests.clinics.trails import a_trail, act, rule_lifted, sql, the_head, verify

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


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
    assert "cut off the end. The hash sent out on 2026-12-01 knows entry 3." in said.output


def test_an_end_that_was_made_anew_is_found_by_the_hash_of_each_day(clinic: Clinic) -> None:
    entries = a_trail(clinic, 3)
    trail_heads.tell_daily(now=NOW)

    with rule_lifted():
        sql("DELETE FROM clinics_auditentry WHERE id = %s", entries[2].id)
    a_trail(clinic, 4)

    said = verify()
    assert said.exit_code == 1
    assert "Entry 3: not the entry that the hash sent out on 2026-12-01 knows." in said.output


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
    with writing.process_journal(tmp_path, "dispatcher", 35):
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
