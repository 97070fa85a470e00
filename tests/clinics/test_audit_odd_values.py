"""The audit trail with values in it that the product never stores: they are found, named, and stop nothing."""

import uuid
from typing import Final

import pytest
from django.db import connection

from companion.clinics import chain, chain_loop
from companion.clinics.models import AuditEntry, Clinic, Role
from companion.clinics.seals import COLUMNS
from companion.panel import trail_heads
from companion.panel.models import TrailHead
from tests.builders import NOW
from tests.clinics.trails import a_trail, act, rule_lifted, sql, the_head, verify
from tests.web.signed_in import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
ON_POSTGRESQL: Final = connection.vendor == "postgresql"
UNREADABLE_DAY: Final = "'infinity'" if ON_POSTGRESQL else "'yesterday'"
UNREADABLE: Final = (
    ["at = 'infinity'", "at = '0044-03-15 12:00 BC'", f"""changes = '{{"a": {"[" * 1500}{"]" * 1500}}}'"""]
    if ON_POSTGRESQL
    else [
        "at = 'yesterday'",
        "at = 5",
        "subject_id = 'nobody'",
        "action = x'ff00'",
        "action = CAST(x'ff00' AS TEXT)",
    ]
)
"""Changes to values that Django can't read."""
READS_THE_SAME: Final = (
    []
    if ON_POSTGRESQL
    else [
        "at = replace(at, ' ', 'T')",
        "at = at || '+00:00'",
        "subject_id = upper(subject_id)",
        "id = upper(id)",
        "reading = 2",
    ]
)
"""Changes after which Django reads the same values, but no filter finds the entry. PostgreSQL knows no such values."""


@pytest.mark.parametrize("change", [*UNREADABLE, *READS_THE_SAME])
def test_a_value_that_the_product_stores_in_no_entry_is_found_and_named(clinic: Clinic, change: str) -> None:
    changed = a_trail(clinic, 3)[1]

    with rule_lifted():
        sql(f"UPDATE clinics_auditentry SET {change} WHERE number = 2")

    said = verify()
    assert said.exit_code == 1, said.output
    assert "Entry 2: changed" in said.output
    assert "Entry 3" not in said.output
    assert changed.pk.hex in said.output.lower().replace("-", "")
    assert signed_in(clinic, Role.ADMIN).get("/audit").status_code == 200


@pytest.mark.skipif(ON_POSTGRESQL, reason="PostgreSQL stores whole numbers alone in this column")
@pytest.mark.parametrize("number", ["'last'", "2.5"])
def test_a_number_that_is_none_leaves_a_gap_and_stops_nothing(clinic: Clinic, number: str) -> None:
    a_trail(clinic, 3)
    with rule_lifted():
        sql(f"UPDATE clinics_auditentry SET number = {number} WHERE number = 2")

    act(clinic)

    said = verify()
    assert said.exit_code == 1, said.output
    assert "Entry 2: missing" in said.output
    assert the_head(clinic).number == 4


@pytest.mark.parametrize("number", ["NULL", "7", str(2**62 - 1)])
def test_an_added_entry_that_can_not_be_read_does_not_stop_the_trail(clinic: Clinic, number: str) -> None:
    a_trail(clinic, 2)
    values = [{"id": "%s", "at": UNREADABLE_DAY}.get(column, column) for column in COLUMNS]

    # No rule is lifted: who knows the services' password may add entries.
    sql(
        f"INSERT INTO clinics_auditentry ({', '.join(COLUMNS)}, number, key_id, seal) "
        f"SELECT {', '.join(values)}, {number}, key_id, seal FROM clinics_auditentry WHERE number = 1",
        uuid.uuid4(),
    )
    act(clinic)
    chain_loop.chain_once({})
    act(clinic)

    said = verify()
    assert said.exit_code == 1, said.output
    assert "in which this product stores none" in said.output
    assert "Entry 3: changed" not in said.output
    waiting = AuditEntry.objects.filter(number=None).count()
    assert waiting == {"NULL": 1, "7": 0}.get(number, 2)
    assert signed_in(clinic, Role.ADMIN).get("/audit").status_code == 200


@pytest.mark.skipif(ON_POSTGRESQL, reason="PostgreSQL stores ids alone in this column")
def test_an_added_entry_of_no_clinic_does_not_stop_the_clinics_chains(clinic: Clinic) -> None:
    a_trail(clinic, 1)
    columns = [column for column in COLUMNS if column not in ("id", "clinic_id")]
    sql(
        f"INSERT INTO clinics_auditentry ({', '.join(columns)}, id, clinic_id, key_id, seal) "
        f"SELECT {', '.join(columns)}, %s, 'nobody', key_id, seal FROM clinics_auditentry",
        uuid.uuid4(),
    )

    act(clinic)
    chain_loop.chain_once({})

    head = chain.head(clinic.pk)
    assert head
    assert head.number == 2
    assert verify().exit_code == 0


def test_a_hash_of_a_day_that_can_not_be_read_is_named_and_stops_no_check(clinic: Clinic) -> None:
    a_trail(clinic, 2)
    trail_heads.tell_daily(now=NOW)
    odd = "day = 'infinity'" if ON_POSTGRESQL else "number = 'last'"

    sql(f"UPDATE panel_trailhead SET {odd}")

    said = verify()
    assert said.exit_code == 1, said.output
    assert "1 of them can't be read" in said.output
    assert "the audit trail is whole (2 entries)" in said.output


@pytest.mark.skipif(ON_POSTGRESQL, reason="PostgreSQL stores ids of clinics alone in this column")
def test_a_hash_of_no_clinic_keeps_no_clinics_hash_back(clinic: Clinic) -> None:
    a_trail(clinic, 2)
    TrailHead.objects.create(clinic=clinic, day=NOW.date(), number=1, hash="x")
    sql("UPDATE panel_trailhead SET clinic_id = 'nobody'")

    trail_heads.tell_daily(now=NOW)

    said = verify()
    sql("DELETE FROM panel_trailhead WHERE clinic_id = 'nobody'")
    assert TrailHead.objects.get().number == 2
    assert "1 of them can't be read" in said.output


def test_a_text_of_an_entry_can_not_rewrite_what_the_terminal_shows(clinic: Clinic) -> None:
    a_trail(clinic, 2)

    with rule_lifted():
        sql(
            f"UPDATE clinics_auditentry SET action = {'chr' if ON_POSTGRESQL else 'char'}(27) || '[2K' WHERE number = 2"
        )

    said = verify()
    assert said.exit_code == 1
    assert "“'\\x1b[2K'”" in said.output


@pytest.mark.skipif(not ON_POSTGRESQL, reason="SQLite has no policies")
def test_a_policy_that_could_hide_entries_is_named(clinic: Clinic) -> None:
    a_trail(clinic, 2)

    sql("CREATE POLICY quiet ON clinics_auditentry USING (actor_name <> 'Mallory')")
    sql("ALTER TABLE clinics_auditentry ENABLE ROW LEVEL SECURITY")

    said = verify()
    assert said.exit_code == 1
    assert "quiet is no trigger, rule or policy of this product" in said.output
    assert "row level security is no trigger, rule or policy" in said.output
