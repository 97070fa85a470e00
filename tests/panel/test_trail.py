"""The audit trail's page and export for admins, and its newest hash that goes out once a day."""

import csv
import datetime as dt
import io
import json
import stat
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from django.core import mail
from django.db import connection

from companion.cli.audit import audit
from companion.clinics import chain
from companion.clinics.models import AuditEntry, Clinic, Role
from companion.panel import trail_heads
from companion.panel.models import TrailHead
from companion.planning import acts, archiving
from companion.schedules.models import Status
from companion.webhooks.models import Delivery, Kind, Webhook, Wish
from tests.builders import NOW, a_caller, a_clinic, a_member, a_message, a_patient
from tests.clinics.trails import a_trail, act, sql
from tests.support import flushing
from tests.web.signed_in import signed_in

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def shown(clinic: Clinic, query: str = "") -> str:
    return signed_in(clinic, Role.ADMIN).get(f"/audit{query}").content.decode()


def test_an_admin_sees_who_did_what_before_and_after(clinic: Clinic) -> None:
    act(clinic, "Birch Clinic")

    page = shown(clinic)

    assert "clinic changed" in page
    assert "Linden Clinic → Birch Clinic" in page


def test_only_admins_see_the_trail(clinic: Clinic) -> None:
    assert signed_in(clinic, Role.PROVIDER).get("/audit").status_code == 403
    assert signed_in(clinic, Role.PROVIDER).get("/audit/export").status_code == 403


def test_another_clinics_entries_are_not_shown(clinic: Clinic) -> None:
    act(a_clinic(), "Birch Clinic")

    assert "Birch Clinic" not in shown(clinic)


@pytest.mark.parametrize("query", ["who=nora", "what=CHANGED", "kind=acts", "since=2026-12-01&until=2026-12-01"])
def test_filters_find_an_entry(clinic: Clinic, query: str) -> None:
    act(clinic)

    assert "clinic changed" in shown(clinic, f"?{query}")


@pytest.mark.parametrize("query", ["who=rosa", "what=deleted", "kind=readings", "since=2026-12-02", "until=2026-11-30"])
def test_filters_leave_out_others(clinic: Clinic, query: str) -> None:
    act(clinic)

    assert "clinic changed" not in shown(clinic, f"?{query}")


def test_a_patients_id_finds_what_was_done_to_the_patients_messages(clinic: Clinic) -> None:
    patient = a_patient(clinic)
    acts.cancel(a_caller(clinic), a_message(patient, due_at=NOW, status=Status.PENDING), now=NOW)
    act(clinic)

    page = shown(clinic, f"?about={patient.id}")

    assert "message cancelled" in page
    assert "clinic changed" not in page


def test_filters_that_can_not_be_read_break_nothing(clinic: Clinic) -> None:
    query = "?who=%00&what=%EF%BF%BE&kind=x&since=9999-12-31&until=9999-12-31&about=x&below=99999999999999999999"

    assert signed_in(clinic, Role.ADMIN).get(f"/audit{query}").status_code == 200


def test_older_entries_are_a_page_away(clinic: Clinic) -> None:
    a_trail(clinic, 60)

    page = shown(clinic, "?what=clinic")

    assert "?what=clinic&amp;below=11" in page
    assert "Name 9 →" in shown(clinic, "?what=clinic&below=11") or "→ Name 9" in shown(clinic, "?what=clinic&below=11")


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_an_export_holds_all_entries_and_is_one_itself(clinic: Clinic, form: str) -> None:
    a_trail(clinic, 3)

    answer = signed_in(clinic, Role.ADMIN).get(f"/audit/export?format={form}&what=clinic")
    text = answer.getvalue().decode()

    rows = (
        list(csv.DictReader(io.StringIO(text))) if form == "csv" else [json.loads(line) for line in text.splitlines()]
    )
    assert [row["action"] for row in rows] == ["clinic changed"] * 3
    assert [str(row["number"]) for row in rows] == ["1", "2", "3"]
    assert AuditEntry.objects.filter(action="audit trail exported", reading=True).exists()


def test_a_spreadsheet_computes_nothing_from_an_export(clinic: Clinic) -> None:
    acts.cancel(a_caller(clinic, name="=1+1"), a_message(a_patient(clinic), due_at=NOW, status=Status.PENDING), now=NOW)

    answer = signed_in(clinic, Role.ADMIN).get("/audit/export")

    assert ",'=1+1," in answer.getvalue().decode()


def test_the_newest_hash_goes_to_the_webhooks_once_a_day(clinic: Clinic) -> None:
    webhook = Webhook.objects.create(clinic=clinic, url="https://hook.example/", secret="whsec_eA==", created_at=NOW)
    Wish.objects.create(clinic=clinic, webhook=webhook, kind=Kind.AUDIT)
    a_trail(clinic, 2)

    for at in (NOW, NOW + dt.timedelta(hours=1), NOW + DAY):
        trail_heads.tell_daily(now=at)

    head = chain.head(clinic.pk)
    assert head
    told = [delivery.more for delivery in Delivery.objects.filter(kind=Kind.AUDIT).order_by("at")]
    assert told == [{"number": head.number, "hash": head.hash}] * 2


def test_an_archived_clinics_hash_is_sent_again_only_once_the_trail_goes_on(clinic: Clinic) -> None:
    a_trail(clinic, 2)
    archiving.archive(clinic, now=NOW)

    for days in range(3):
        trail_heads.tell_daily(now=NOW + days * DAY)
    archiving.reopen(clinic, now=NOW + 3 * DAY)
    for days in range(3, 5):
        trail_heads.tell_daily(now=NOW + days * DAY)

    assert [row.day - NOW.date() for row in TrailHead.objects.order_by("day")] == [0 * DAY, 3 * DAY, 4 * DAY]


def test_the_newest_hash_is_mailed_to_admins_once_a_day(clinic: Clinic) -> None:
    a_member(clinic, Role.ADMIN, email="rosa@clinic.example")
    a_trail(clinic, 2)
    trail_heads.tell_daily(now=NOW)
    # As on a server that has a mail server.
    TrailHead.objects.update(next_try_at=NOW)

    for _ in range(2):
        trail_heads.tell_daily(now=NOW)

    [sent] = mail.outbox
    assert sent.to == ["rosa@clinic.example"]
    assert f"--last {chain.head(clinic.pk)}" in sent.body


def test_the_mail_says_that_the_database_does_not_protect_the_trail(clinic: Clinic) -> None:
    a_member(clinic, Role.ADMIN, email="rosa@clinic.example")
    a_trail(clinic, 2)
    for statement in flushing.lifting(connection.vendor):
        sql(statement)
    trail_heads.tell_daily(now=NOW)
    TrailHead.objects.update(next_try_at=NOW)

    trail_heads.tell_daily(now=NOW)
    for statement in flushing.holding(connection.vendor):
        sql(statement)
    TrailHead.objects.update(next_try_at=NOW)
    trail_heads.tell_daily(now=NOW)

    unprotected, protected = mail.outbox
    assert unprotected.subject.endswith("is not protected")
    assert "companion migrate" in unprotected.body
    assert f"--last {chain.head(clinic.pk)}" in unprotected.body
    assert "protect" not in f"{protected.subject} {protected.body}"


def test_an_address_that_is_refused_brings_the_others_no_second_copy(clinic: Clinic) -> None:
    a_member(clinic, Role.ADMIN, email="rosa@clinic.example")
    a_member(clinic, Role.ADMIN, email="not an\naddress")
    a_trail(clinic, 2)
    trail_heads.tell_daily(now=NOW)
    # As on a server that has a mail server.
    TrailHead.objects.update(next_try_at=NOW)

    for hours in range(3):
        trail_heads.tell_daily(now=NOW + dt.timedelta(hours=hours))

    assert [sent.to for sent in mail.outbox] == [["rosa@clinic.example"]]


def exported(file: Path, *words: str) -> Result:
    """`companion audit export`."""
    return CliRunner().invoke(audit, ["export", str(file), *words])


def test_the_operator_exports_a_trail_by_command_also_of_a_removed_clinic(clinic: Clinic, tmp_path: Path) -> None:
    a_trail(clinic, 2)
    Clinic.objects.filter(pk=clinic.pk).delete()
    a_clinic(slug="birch")
    a_clinic(slug="linden")

    said = exported(tmp_path / "audit.csv", "--clinic", str(clinic.pk))

    rows = list(csv.DictReader((tmp_path / "audit.csv").open()))
    assert said.exit_code == 0
    assert [row["action"] for row in rows] == ["clinic changed", "clinic changed", "audit trail exported"]
    assert stat.S_IMODE((tmp_path / "audit.csv").stat().st_mode) == 0o600


def test_an_export_by_command_overwrites_nothing_and_knows_the_clinics(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")

    there = exported(tmp_path / "there", "--clinic", clinic.slug)
    nobody = exported(tmp_path / "new", "--clinic", str(uuid.uuid4()))

    assert "can't be written" in there.output
    assert "There is no clinic of this slug" in nobody.output
    assert (tmp_path / "there").read_text() == "mine"
