"""A bot that moves to another clinic: its opt-outs hold there, too."""

import datetime as dt

import pytest
from pytest_django import Settings

from companion.clinics import bots, opt_outs
from companion.clinics.models import Clinic, OptOut, Role
from companion.clinics.refusals import Conflict
from companion.patients import consent
from companion.patients.models import Consent
from companion.schedules.models import Message
from companion.schedules.reasons import Reason
from tests.api.calls import a_program
from tests.builders import NOW, a_clinic, a_message, a_patient
from tests.delivery.rounds import begun
from tests.web.signed_in import signed_in

pytestmark = pytest.mark.django_db
CHAT = 5_111
TOKENS = [f"{number}:{'A' * 35}" for number in (123456789, 987654321)]
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def before() -> Clinic:
    """The clinic that had the bot when a chat said STOP to it, and has another bot now."""
    clinic = a_clinic()
    bots.connect(clinic, TOKENS[0], "linden_bot", sandbox=True, now=NOW)
    consent.withdraw(clinic, CHAT, source="patient: /stop", now=NOW)
    bots.connect(clinic, TOKENS[1], "birch_bot", sandbox=True, now=NOW + HOUR)
    return clinic


def test_a_bot_takes_its_opt_outs_to_the_clinic_that_it_serves_next(before: Clinic) -> None:
    clinic = a_clinic()
    ana = a_patient(clinic, telegram_id=CHAT)
    bot = bots.connect(clinic, TOKENS[0], "linden_bot", sandbox=True, now=NOW + HOUR)
    message = a_message(ana)

    assert begun(bot).begun == ()
    message.refresh_from_db()
    assert message.reason == Reason.OPTED_OUT
    assert opt_outs.has_stopped(before, CHAT)


def test_start_in_the_new_clinic_undoes_the_stop_there_alone(before: Clinic) -> None:
    clinic = a_clinic()
    bots.connect(clinic, TOKENS[0], "linden_bot", sandbox=True, now=NOW + HOUR)

    consent.restore(clinic, CHAT, source="patient: /start", now=NOW + HOUR)

    assert [opt_outs.has_stopped(served, CHAT) for served in (clinic, before)] == [False, True]
    third = a_clinic()
    bots.connect(clinic, f"555555555:{'A' * 35}", "oak_bot", sandbox=True, now=NOW + 2 * HOUR)
    bots.connect(third, TOKENS[0], "linden_bot", sandbox=True, now=NOW + 2 * HOUR)
    assert not opt_outs.has_stopped(third, CHAT)


def test_messages_to_the_clinic_s_next_bot_stay_with_the_clinic(before: Clinic) -> None:
    consent.withdraw(before, CHAT + 1, source="patient: /stop", now=NOW + 2 * HOUR)
    clinic = a_clinic()

    bots.connect(clinic, TOKENS[0], "linden_bot", sandbox=True, now=NOW + 3 * HOUR)

    assert not opt_outs.has_stopped(clinic, CHAT + 1)


def test_while_a_clinic_has_the_bot_no_other_can_have_it() -> None:
    bots.connect(a_clinic(), TOKENS[0], "linden_bot", sandbox=True, now=NOW)

    with pytest.raises(Conflict):
        bots.connect(a_clinic(), TOKENS[0], "linden_bot", sandbox=True, now=NOW)


def test_programs_don_t_see_whose_numbers_came_along(before: Clinic) -> None:
    consent.withdraw(before, CHAT + 1, source="patient: /stop", now=NOW)
    clinic = a_clinic()
    ana = a_patient(clinic, telegram_id=CHAT)
    OptOut.objects.filter(telegram_id=CHAT + 1).update(at=NOW)
    bots.connect(clinic, TOKENS[0], "linden_bot", sandbox=True, now=NOW + HOUR)
    consent.follow_opt_outs(clinic, now=NOW + HOUR)

    items = a_program(clinic).get("/opt-outs").json["items"]

    assert {item["telegram_id"] for item in items} == {CHAT, None}
    ana.refresh_from_db()
    assert ana.consent == Consent.WITHDRAWN
    assert a_program(clinic).get(f"/patients/{ana.id}").json["unreachable_code"] == "opted_out"


@pytest.mark.both_databases
def test_the_opt_out_of_an_erased_patient_holds_for_the_next_clinics_patient_in_that_chat() -> None:
    clinic, other = a_clinic(), a_clinic()
    bots.connect(clinic, TOKENS[0], "linden_bot", sandbox=True, now=NOW)
    erased = a_patient(clinic, "Ana Silva", telegram_id=CHAT)
    consent.withdraw(clinic, CHAT, source="patient: /stop", now=NOW)
    a_program(clinic, Role.ADMIN).post(f"/patients/{erased.id}/erase", {"name": "Ana Silva"})
    bots.connect(clinic, TOKENS[1], "birch_bot", sandbox=True, now=NOW + HOUR)
    ana, ben = (a_patient(other, telegram_id=chat) for chat in (CHAT, CHAT + 1))

    bot = bots.connect(other, TOKENS[0], "linden_bot", sandbox=True, now=NOW + HOUR)
    consent.follow_opt_outs(other, now=NOW + HOUR)
    messages = [a_message(patient) for patient in (ana, ben)]

    assert [row.message for row in begun(bot).begun] == [messages[1].pk]
    messages[0].refresh_from_db()
    assert messages[0].reason == Reason.OPTED_OUT
    assert not OptOut.objects.get(clinic=clinic).telegram_id


def test_connecting_a_bot_on_the_page_opts_out_the_patients_of_its_stopped_chats(settings: Settings) -> None:
    settings.SANDBOX_ON = True
    clinic = a_clinic()
    ana = a_patient(clinic, telegram_id=CHAT)
    opt_outs.stop(clinic, CHAT, source=opt_outs.CAME_ALONG, now=NOW)

    assert signed_in(clinic, Role.ADMIN).post("/settings/bot").status_code == 302

    ana.refresh_from_db()
    assert ana.consent == Consent.WITHDRAWN
    assert not Message.objects.exists()
