"""Connecting bots, and the guards that keep invented and real patients apart."""

import pytest
from pytest_django import Settings

from companion.clinics import bots
from companion.clinics.access import NotAllowed
from companion.clinics.models import AuditEntry, Bot, Role
from companion.clinics.refusals import Conflict, Refused
from companion.patients import enrolment
from companion.patients.models import Patient
from tests.builders import NOW, a_caller, a_clinic, a_patient
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db

TOKEN = f"123456789:{'A' * 35}"
OTHER = f"987654321:{'B' * 35}"


@pytest.fixture(autouse=True)
def _sandbox_off(settings: Settings) -> None:
    settings.SANDBOX_ON = False


def test_a_bot_is_connected_and_its_token_lies_sealed() -> None:
    clinic = a_clinic()

    bot = bots.connect(clinic, TOKEN, "linden_bot", sandbox=False, now=NOW)

    assert (bot.telegram_id, Bot.objects.get().token) == (123456789, TOKEN)
    assert AuditEntry.objects.filter(clinic=clinic, action="real bot connected").exists()


def test_another_bot_takes_the_first_one_s_place_and_begins_its_updates_anew() -> None:
    clinic = a_clinic()
    bots.connect(clinic, TOKEN, "linden_bot", sandbox=False, now=NOW)
    Bot.objects.update(next_update_id=77, closed_why="unauthorized", closed_until=NOW)

    bot = bots.connect(clinic, OTHER, "other_bot", sandbox=False, now=NOW)

    assert Bot.objects.count() == 1
    assert (bot.next_update_id, bot.closed_why, bot.closed_until) == (0, "", None)


def test_a_new_token_of_the_same_bot_keeps_its_updates() -> None:
    clinic = a_clinic()
    bots.connect(clinic, TOKEN, "linden_bot", sandbox=False, now=NOW)
    Bot.objects.update(next_update_id=77)

    bot = bots.connect(clinic, f"123456789:{'C' * 35}", "linden_bot", sandbox=False, now=NOW)

    assert bot.next_update_id == 77


@pytest.mark.parametrize("token", ["", "linden_bot", "123456789", "123:é", "x:" + "A" * 35])
def test_an_impossible_token_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(Refused) as refusal:
        bots.connect(a_clinic(), token, "linden_bot", sandbox=False, now=NOW)

    assert not token or token not in str(refusal.value)


def test_one_bot_serves_one_clinic() -> None:
    bots.connect(a_clinic(), TOKEN, "linden_bot", sandbox=False, now=NOW)

    with pytest.raises(Conflict):
        bots.connect(a_clinic(), TOKEN, "linden_bot", sandbox=False, now=NOW)


def test_data_that_met_a_real_bot_refuses_the_sandbox_though_the_bot_be_gone() -> None:
    clinic = a_clinic()
    bots.connect(clinic, TOKEN, "linden_bot", sandbox=False, now=NOW)
    Bot.objects.all().delete()

    with pytest.raises(Conflict):
        bots.check_start(sandbox=True)
    with pytest.raises(Conflict):
        bots.connect(clinic, OTHER, "practice_bot", sandbox=True, now=NOW)


def test_demo_data_refuses_a_real_bot_in_every_clinic() -> None:
    a_clinic(demo=True)

    with pytest.raises(Conflict):
        bots.connect(a_clinic(), TOKEN, "linden_bot", sandbox=False, now=NOW)


def test_patients_of_the_sandbox_s_phones_refuse_a_real_bot() -> None:
    clinic = a_clinic()
    bots.connect(clinic, OTHER, "practice_bot", sandbox=True, now=NOW)
    patient: Patient = a_patient(clinic, telegram_id=None)
    link = enrolment.invite(a_caller(clinic), patient, now=NOW).link
    enrolment.redeem(clinic, link.partition("start=")[2], 5_111_111_111, now=NOW)

    with pytest.raises(Conflict):
        bots.connect(clinic, TOKEN, "linden_bot", sandbox=False, now=NOW)


def test_a_real_bot_is_refused_while_the_sandbox_is_on(settings: Settings) -> None:
    settings.SANDBOX_ON = True

    with pytest.raises(Conflict):
        bots.connect(a_clinic(), TOKEN, "linden_bot", sandbox=False, now=NOW)


def test_a_start_with_nothing_real_may_use_the_sandbox() -> None:
    bots.connect(a_clinic(), TOKEN, "practice_bot", sandbox=True, now=NOW)

    bots.check_start(sandbox=True)


def test_the_environment_s_bot_is_connected_once() -> None:
    clinic = a_clinic()
    bots.first_bot_from_environment(clinic, TOKEN, "linden_bot", sandbox=False, now=NOW)
    Bot.objects.update(closed_why="unauthorized", closed_until=NOW)

    bots.first_bot_from_environment(clinic, TOKEN, "linden_bot", sandbox=False, now=NOW)

    assert AuditEntry.objects.filter(action="real bot connected").count() == 1
    assert Bot.objects.get().closed_why == "unauthorized"


def test_only_an_admin_connects_a_bot() -> None:
    clinic = a_clinic()

    with pytest.raises(NotAllowed):
        bots.connect(clinic, TOKEN, "x", sandbox=False, now=NOW, by=a_caller(clinic, Role.PROVIDER))


def test_with_the_sandbox_on_only_its_bots_serve_and_without_it_only_real_bots() -> None:
    bots.connect(a_clinic(), OTHER, "practice_bot", sandbox=True, now=NOW)

    assert bots.serving(sandbox=True).count() == 1
    assert bots.serving(sandbox=False).count() == 0


def test_a_bot_api_that_can_t_be_reached_is_said_in_words() -> None:
    with pytest.raises(Refused) as refusal:
        bots.ask_username(TOKEN, api_url="http://127.0.0.1:9")

    assert "connection refused" in refusal.value.problems[0].message


@pytest.mark.django_db(transaction=True)
def test_a_bot_connected_twice_at_one_moment_is_connected() -> None:
    clinic = a_clinic()

    at_once([lambda: bots.connect(clinic, TOKEN, "linden_bot", sandbox=False, now=NOW)] * 2)

    assert Bot.objects.get().clinic == clinic
