"""Tests of syncs: when they begin, one at a time, and what follows if a sync dies, sleeps or hangs."""

import datetime as dt
import itertools
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from companion.cli.patients import patients as command
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict
from companion.listener.sync_loop import SyncLoop
from companion.patients.models import Patient
from companion.patients.sources import configuration, hold, sync
from companion.patients.sources.models import PatientSource, RunState, SyncRun
from companion.patients.sources.source import Found, SourceDown
from companion.patients.sources.spool import Spool
from companion.service.clock import machine_now
from tests.builders import NOW, a_caller, a_clinic
from tests.patients.hospital import MAPPING, Hospital, numbers, synced
from tests.support.services import eventually
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_all_is_read_again_after_a_day(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    hospital.admits("P-2", "Bo", day=9)
    synced(clinic)

    assert numbers(synced(clinic, NOW + dt.timedelta(days=1))) == (0, 0, 2, 0, 0)


def test_two_syncs_of_one_clinic_are_not_under_way_at_once(clinic: Clinic) -> None:
    PatientSource.objects.update(running_until=NOW + dt.timedelta(minutes=1))

    with pytest.raises(Conflict):
        synced(clinic)


def test_a_sync_killed_midway_is_noted_and_the_next_one_ends_its_work(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    clinic = a_clinic()
    file, many = tmp_path / "patients.csv", 3000
    file.write_text("external_id,name\n" + "".join(f"P-{number},Patient {number}\n" for number in range(many)))
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=NOW)
    command = [sys.executable, "-m", "companion.cli.main", "patients", "sync"]
    with subprocess.Popen(command, env=product_environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        eventually(lambda: Patient.objects.filter(clinic=clinic).exists(), "the first batch")
        process.kill()
    stored = Patient.objects.filter(clinic=clinic).count()
    killed = SyncRun.objects.get(clinic=clinic)
    with pytest.raises(Conflict):
        # Nobody can tell yet that it is dead.
        sync.sync(clinic, clock=machine_now)

    run = sync.sync(clinic, clock=lambda: machine_now() + hold.HOLD)

    killed.refresh_from_db()
    assert 0 < stored < many
    assert (killed.state, run.state) == (RunState.ENDED, RunState.DONE)
    assert numbers(run) == (many - stored, 0, stored, 0, 0)
    assert Patient.objects.filter(clinic=clinic).count() == many


def test_the_listener_s_timer_syncs_each_source_that_is_due(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    PatientSource.objects.update(next_at=machine_now())
    timer = SyncLoop()

    timer.start()
    eventually(lambda: SyncRun.objects.filter(clinic=clinic, state=RunState.DONE).exists(), "the sync")
    timer.stop()

    assert Patient.objects.get(clinic=clinic).name == "Ana"
    in_an_hour = PatientSource.objects.get().next_at - machine_now()
    assert dt.timedelta(minutes=59) < in_an_hour <= dt.timedelta(hours=1)


def test_a_source_is_due_when_its_time_comes_and_after_a_sync_an_hour_later(clinic: Clinic) -> None:
    due_at_once = sync.due(now=NOW)
    synced(clinic)

    assert [row.clinic for row in due_at_once] == [clinic]
    assert sync.due(now=NOW + dt.timedelta(minutes=59)) == []
    assert len(sync.due(now=NOW + dt.timedelta(hours=1))) == 1


def test_a_source_set_twice_at_one_moment_is_set(hospital: Hospital) -> None:
    clinic = a_clinic()
    admin = a_caller(clinic, Role.ADMIN)

    at_once([lambda: configuration.set_sql(admin, hospital.url, MAPPING, now=NOW)] * 2)

    assert PatientSource.objects.filter(clinic=clinic).count() == 1


def test_by_command_a_source_is_set_and_synced(hospital: Hospital, tmp_path: Path) -> None:
    clinic = a_clinic()
    hospital.admits("P-1", "Ana", telegram=7)
    hospital.admits("P-2", "Bo", telegram=-7)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING)

    told = CliRunner().invoke(command, ["source", "sql", str(mapping)], input=f"{hospital.url}\n")
    result = CliRunner().invoke(command, ["sync"])

    assert (told.exit_code, result.exit_code) == (0, 0)
    assert hospital.url not in told.output
    assert result.stdout.splitlines()[0] == "1 added, 0 changed, 0 left, 0 unchanged, 1 refused"
    assert result.stdout.splitlines()[1].startswith("row 2: telegram_id: ")
    assert PatientSource.objects.get(clinic=clinic).next_at > machine_now()


def test_by_command_a_sync_without_a_source_says_what_to_do() -> None:
    a_clinic()

    result = CliRunner().invoke(command, ["sync"])

    assert result.exit_code == 1
    assert "companion patients source" in result.stderr


def test_a_source_is_held_as_long_as_its_sync_goes_on(clinic: Clinic) -> None:
    row = PatientSource.objects.get()
    run = hold.acquire(row, whole=True, now=machine_now() - hold.HOLD)

    with hold.Hold(row, run, machine_now, every=0.02):
        eventually(PatientSource.objects.filter(running_until__gt=machine_now()).exists, "the renewal")

    with pytest.raises(Conflict):
        hold.acquire(row, whole=True, now=machine_now())


def test_a_source_that_gives_nothing_any_more_is_held_no_longer(clinic: Clinic) -> None:
    row = PatientSource.objects.get()
    run = hold.acquire(row, whole=True, now=NOW)

    with hold.Hold(row, run, machine_now, every=0.01, stuck=0):
        eventually(lambda: "sync-hold" not in {thread.name for thread in threading.enumerate()}, "the end of it")

    assert PatientSource.objects.get().running_until == NOW + hold.HOLD


def test_a_sync_that_slept_while_another_took_over_stores_and_ends_nothing(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    row = PatientSource.objects.get()
    others: list[SyncRun] = []

    def slept() -> dt.datetime:
        if SyncRun.objects.exists() and not others:
            others.append(hold.acquire(row, whole=True, now=NOW + hold.HOLD))
        return NOW

    with pytest.raises(Conflict):
        sync.sync(clinic, clock=slept)

    row.refresh_from_db()
    assert not Patient.objects.exists()
    assert SyncRun.objects.get(state=RunState.RUNNING) == others[0]
    assert row.running_until == NOW + 2 * hold.HOLD


def test_a_source_that_hangs_keeps_no_other_clinic_s_waiting(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    hanging = a_clinic()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        configuration.set_fhir(a_caller(hanging, Role.ADMIN), url, "", now=NOW - dt.timedelta(hours=1), anywhere=True)
        timer = SyncLoop(clock=lambda: NOW)

        timer.start()
        eventually(lambda: Patient.objects.filter(clinic=clinic).exists(), "the other clinic's sync")

        assert SyncRun.objects.get(clinic=hanging).state == RunState.RUNNING
        timer.stop(0)
    eventually(lambda: SyncRun.objects.get(clinic=hanging).state == RunState.SOURCE_DOWN, "the end of what hung")


def test_the_timer_outlives_unforeseen_errors(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    told = [ZeroDivisionError]

    def clock() -> dt.datetime:
        if told:
            raise told[0]
        return NOW

    timer = SyncLoop(every=0.02, clock=clock)
    timer.start()
    eventually(lambda: timer.trouble, "the failure")
    told.clear()

    eventually(lambda: Patient.objects.filter(clinic=clinic).exists() and not timer.trouble, "the sync")
    timer.stop()


def test_a_source_without_an_end_fills_no_disk() -> None:
    spool = Spool(most_bytes=100_000)

    with pytest.raises(SourceDown, match="Nothing was changed"):
        spool.fill((Found(f"row {number}", {"external_id": f"P-{number}"}) for number in itertools.count()), now=NOW)

    spool.close()
