"""The chain of the audit trail as `companion audit verify` checks it: whole trails, and entries with unknown keys."""

import re
import uuid
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test import override_settings

from companion.clinics import audit, members
from companion.clinics.models import AuditEntry, Clinic
from tests.builders import NOW, a_clinic
from tests.clinics.trails import a_trail, act, rule_lifted, sql, the_head, verify

pytestmark = pytest.mark.django_db


def test_a_trail_that_nobody_touched_is_whole(clinic: Clinic) -> None:
    a_trail(clinic, 3)

    said = verify()

    assert said.exit_code == 0
    assert f"linden: the audit trail is whole (3 entries). The newest is {the_head(clinic)}." in said.output


def test_two_clinics_have_a_chain_each(clinic: Clinic) -> None:
    other = a_clinic()

    for acting in (clinic, other, clinic):
        act(acting)

    assert (the_head(clinic).number, the_head(other).number) == (2, 1)
    assert verify().exit_code == 0


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
        a_trail(clinic, 2)
        with rule_lifted():
            sql("UPDATE clinics_auditentry SET action = 'clinic renamed' WHERE number = 4")
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
