"""STOP belongs to the chat: for any patient, only the answer to the chat's own STOP or Start goes there.

Each message is begun as the dispatcher does it, in the transaction after which a byte may leave.
"""

import datetime as dt

import pytest
from django.test import Client

from companion.clinics.access import Caller
from companion.clinics.models import Bot, Member, OptOut, Role
from companion.clinics.refusals import Conflict, Refused
from companion.listener import inbox
from companion.panel import contacts, notices
from companion.panel.models import AlertContact
from companion.patients import directory, upsert
from companion.patients.fields import read_given
from companion.patients.models import Consent, Patient
from companion.patients.row_changes import Entry
from companion.planning import answers
from companion.planning.short_form import send_one
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from tests.api.calls import Program, a_program
from tests.builders import NOW, a_caller, a_member, a_message, a_patient
from tests.delivery.rounds import begun
from tests.listener.chats import DOORS, arrive, by_api, by_import, leaves, stops
from tests.listener.stories import CHAT, a_tap, a_text, comes_in, edited_to, invited
from tests.listener.stories import answers as answers_to
from tests.web.signed_in import signed_in

pytestmark = pytest.mark.django_db
MOTHER = "Maria Silva"


def caller_of(member: Member) -> Caller:
    return Caller(member.clinic, "member", member.id, "Nora Admin", Role.ADMIN)


def signed_in_as(member: Member) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


@pytest.mark.parametrize("door", DOORS)
def test_a_third_child_added_to_a_chat_that_stopped_gets_nothing_there(bot: Bot, door: str) -> None:
    for name in ("Ana Silva", "Ben Silva"):
        a_patient(bot.clinic, name, telegram_id=CHAT, caregiver=MOTHER)
    stops(bot)

    DOORS[door](bot, {"external_id": "C-3", "name": "Cid Silva", "telegram_id": CHAT, "caregiver": MOTHER})

    cid = Patient.objects.get(external_id="C-3")
    assert not leaves(bot, a_message(cid))
    shown = a_program(bot.clinic).get(f"/patients/{cid.id}").json
    assert (shown["reachable"], shown["unreachable_code"]) == (False, "opted_out")
    assert "has opted out" in shown["unreachable_reason"]


@pytest.mark.parametrize("door", DOORS)
def test_a_stranger_who_stopped_and_is_then_added_as_a_patient_gets_nothing(bot: Bot, door: str) -> None:
    stops(bot)

    DOORS[door](bot, {"external_id": "P-1", "name": "Ana Silva", "telegram_id": CHAT})

    ana = Patient.objects.get(external_id="P-1")
    assert not leaves(bot, a_message(ana))
    assert ana.consent_history.get().source == "chat: had opted out"


@pytest.mark.parametrize("door", DOORS)
def test_a_stranger_who_edits_a_message_to_stop_stops_the_chat_for_later_patients(bot: Bot, door: str) -> None:
    first = a_text(CHAT, "hello")
    comes_in(bot, first)
    comes_in(bot, edited_to(first, "STOP"))

    DOORS[door](bot, {"external_id": "P-1", "name": "Ana Silva", "telegram_id": CHAT})

    assert not leaves(bot, a_message(Patient.objects.get(external_id="P-1")))


def test_a_stranger_who_taps_stop_after_a_polite_stop_stops_the_chat_for_later_patients(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "please stop"))
    question = answers_to(bot)[-1]
    assert question.buttons
    assert not OptOut.objects.exists()
    stop = question.buttons[0][0]

    comes_in(bot, a_tap(CHAT, stop["callback_data"], stop["text"], message_id=90))

    by_api(bot, {"external_id": "P-1", "name": "Ana Silva", "telegram_id": CHAT})
    assert not leaves(bot, a_message(Patient.objects.get(external_id="P-1")))


def test_an_id_that_moves_to_another_patient_takes_its_stop_along_and_the_clinic_is_told(bot: Bot) -> None:
    ana, ben = a_patient(bot.clinic, "Ana Silva", telegram_id=CHAT), a_patient(bot.clinic, "Ben Costa")
    stops(bot)
    api = a_program(bot.clinic)

    assert api.patch(f"/patients/{ana.id}", {"telegram_id": None}).status == 200
    moved = api.patch(f"/patients/{ben.id}", {"telegram_id": CHAT}).json

    assert (moved["consent"], moved["unreachable_code"]) == ("withdrawn", "opted_out")
    assert not leaves(bot, a_message(ben))
    assert [(note["patient"]["name"], note["kind"]) for note in api.get("/enrolment-notes").json["items"]] == [
        ("Ben Costa", "given_on")
    ]


def test_a_patient_in_a_stopped_chat_by_mistake_is_reached_again_in_the_right_chat(bot: Bot) -> None:
    stops(bot)
    by_api(bot, {"external_id": "P-1", "name": "Ana Silva", "telegram_id": CHAT})
    ana = Patient.objects.get(external_id="P-1")

    a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": CHAT + 1})

    ana.refresh_from_db()
    assert ana.consent == Consent.UNKNOWN
    assert leaves(bot, a_message(ana))


def test_a_patient_s_own_stop_stays_with_the_patient_in_another_chat(bot: Bot) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT)
    stops(bot)

    a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": CHAT + 1})

    ana.refresh_from_db()
    assert ana.consent == Consent.WITHDRAWN
    assert not leaves(bot, a_message(ana))


def test_a_stranger_who_stopped_is_not_answered_from_the_inbox(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "Who are you?"))
    stops(bot)
    api = a_program(bot.clinic)
    (item,) = api.get("/inbox?view=strangers").json["items"]

    refused = api.post(f"/inbox/{item['id']}/answer", {"text": "Your clinic."})

    assert refused.status == 409
    assert "opted out with STOP" in refused.json["detail"]
    assert "opted out with STOP" in signed_in(bot.clinic).get(f"/inbox/{item['id']}").content.decode()
    assert not Message.objects.filter(status=Status.PENDING).exists()


def test_an_answer_to_a_stranger_that_waits_when_the_stop_comes_does_not_leave(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "Who are you?"))
    (conversation,) = inbox.view(bot.clinic, "strangers", a_caller(bot.clinic))
    waiting = inbox.answer(a_caller(bot.clinic), conversation, "Your clinic.", now=NOW)

    comes_in(bot, a_text(CHAT, "STOP"))

    assert not leaves(bot, waiting)


def test_a_patient_who_said_stop_while_marked_as_left_is_still_opted_out_when_back(bot: Bot) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT, external_id="P-1")
    upsert.store(
        a_caller(bot.clinic), [Entry(1, read_given({"external_id": "P-1"}, today=NOW.date()), left=True)], "", now=NOW
    )
    stops(bot)

    by_import(bot, {"external_id": "P-1", "name": "Ana Silva"})

    ana.refresh_from_db()
    assert (ana.left_at, ana.consent) == (None, Consent.WITHDRAWN)
    assert not leaves(bot, a_message(ana))


def test_nothing_goes_to_an_alert_contact_s_chat_that_stopped_and_the_page_says_so(bot: Bot) -> None:
    member = a_member(bot.clinic, Role.ADMIN)
    AlertContact.objects.create(clinic=bot.clinic, member=member, telegram_id=CHAT)
    stops(bot)

    notices.by_telegram(bot.clinic, CHAT, "Sending is overdue.", now=NOW)

    assert not leaves(bot, Message.objects.latest("id"))
    page = signed_in_as(member).get("/mcp/alerts").content.decode()
    assert "no alert arrives there" in page
    tried = signed_in_as(member).post("/mcp/alerts/test", {"way": "telegram"}, follow=True).content.decode()
    assert "no alert arrives there" in tried
    with pytest.raises(Refused):
        contacts.hear(caller_of(member), CHAT, by_email=True, now=NOW)
    comes_in(bot, a_text(CHAT, "/start"))
    arrive(bot)
    notices.by_telegram(bot.clinic, CHAT, "Sending is overdue.", now=NOW)
    assert leaves(bot, Message.objects.latest("id"))


def test_a_message_that_waited_for_a_whole_outage_ends_as_opted_out_and_not_as_too_late(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "Who are you?"))
    (conversation,) = inbox.view(bot.clinic, "strangers", a_caller(bot.clinic))
    waiting = inbox.answer(a_caller(bot.clinic), conversation, "Your clinic.", now=NOW)
    comes_in(bot, a_text(CHAT, "STOP"))

    begun(bot, NOW + dt.timedelta(days=1))

    waiting.refresh_from_db()
    assert waiting.reason == Reason.OPTED_OUT


def test_start_of_the_chat_opens_it_for_all_who_are_reached_there(bot: Bot) -> None:
    a_patient(bot.clinic, "Ana Silva", telegram_id=CHAT, caregiver=MOTHER)
    stops(bot)
    by_api(bot, {"external_id": "C-3", "name": "Cid Silva", "telegram_id": CHAT, "caregiver": MOTHER})

    comes_in(bot, a_text(CHAT, "/start"))

    held = dict(Patient.objects.values_list("name", "consent"))
    assert held == {"Ana Silva": Consent.GIVEN, "Cid Silva": Consent.UNKNOWN}
    assert not OptOut.objects.exists()
    arrive(bot)
    assert leaves(bot, a_message(Patient.objects.get(external_id="C-3")))


def test_a_member_s_note_is_the_patient_s_and_not_the_chat_s(bot: Bot) -> None:
    ana, ben = (a_patient(bot.clinic, name, telegram_id=CHAT, caregiver=MOTHER) for name in ("Ana", "Ben"))

    a_program(bot.clinic).post(f"/patients/{ana.id}/consent", {"consent": "withdrawn"})

    assert not leaves(bot, a_message(ana))
    assert leaves(bot, a_message(ben))


def test_a_stop_in_one_clinic_is_no_stop_in_another_clinic(bot: Bot, other_bot: Bot) -> None:
    ana = a_patient(other_bot.clinic, telegram_id=CHAT)

    stops(bot)

    assert leaves(other_bot, a_message(ana))


def test_an_opt_out_outlives_the_chat_s_number(bot: Bot) -> None:
    """Leave the chat as an erasure does: without its number, with its hash alone."""
    ana = a_patient(bot.clinic, telegram_id=CHAT)
    stops(bot)
    a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": None})
    OptOut.objects.update(telegram_id=None)

    by_api(bot, {"external_id": "P-9", "name": "Ana Silva", "telegram_id": CHAT})

    again = Patient.objects.get(external_id="P-9")
    assert again.consent == Consent.WITHDRAWN
    assert not leaves(bot, a_message(again))
    assert str(CHAT) not in OptOut.objects.get().chat
    comes_in(bot, a_text(CHAT, "/start"))
    assert not OptOut.objects.exists()


def test_send_now_and_a_single_message_pass_no_opt_out_either(bot: Bot) -> None:
    stops(bot)
    by_api(bot, {"external_id": "P-1", "name": "Ana Silva", "telegram_id": CHAT})
    ana = Patient.objects.get(external_id="P-1")
    # Even where the patient's own row knew nothing of it.
    Patient.objects.update(consent=Consent.GIVEN, withdrawal="")

    assert not leaves(bot, send_one(a_caller(bot.clinic), ana, "Hello", None, now=NOW))
    with pytest.raises(Conflict):
        answers.from_member(a_caller(bot.clinic), ana, CHAT, "Hello", they_wrote=True, now=NOW)
    assert not leaves(bot, a_message(ana, by_hand=True))


def test_a_stop_silences_what_still_waits_to_answer_a_start(bot: Bot) -> None:
    _, start = invited(bot)
    comes_in(bot, a_text(CHAT, start))

    comes_in(bot, a_text(CHAT, "STOP"))

    assert [attempt.text.split()[0] for attempt in begun(bot).begun] == ["Done:"]


def test_directory_change_of_another_field_leaves_the_opt_out_alone(bot: Bot) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT)
    stops(bot)

    directory.change(a_caller(bot.clinic), ana, {"name": "Ana Costa"}, now=NOW)

    ana.refresh_from_db()
    assert ana.consent == Consent.WITHDRAWN


def test_programs_list_the_opt_outs_page_by_page_with_strangers_among_them(bot: Bot, other_bot: Bot) -> None:
    a_patient(bot.clinic, "Ana Silva", telegram_id=CHAT)
    for chat in (CHAT, CHAT + 1, CHAT + 2):
        comes_in(bot, a_text(chat, "/stop"))
    comes_in(other_bot, a_text(CHAT + 3, "/stop"))
    viewer: Program = a_program(bot.clinic, Role.VIEWER)

    pages = viewer.pages("/opt-outs?limit=2")

    items = [item for page in pages for item in page]
    assert [len(page) for page in pages] == [2, 1]
    assert {item["telegram_id"]: [patient["name"] for patient in item["patients"]] for item in items} == {
        CHAT: ["Ana Silva"],
        CHAT + 1: [],
        CHAT + 2: [],
    }
    assert {item["source"] for item in items} == {"patient: STOP"}
    assert viewer.get("/opt-outs?cursor=made-up").status == 422
