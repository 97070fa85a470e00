"""The inbox, answers and urgent help as programs see them."""

import datetime as dt
from collections.abc import Callable

import pytest

from companion.clinics.models import Bot, Clinic, Role
from companion.listener.models import Conversation
from companion.patients.models import Patient
from companion.schedules.models import Message
from tests.api.calls import Json, Program
from tests.builders import NOW, a_bot, a_clinic, a_member, a_patient
from tests.listener.stories import a_question, a_text, comes_in, tap_on


@pytest.fixture
def bot(clinic: Clinic) -> Bot:
    return a_bot(clinic)


@pytest.fixture
def ana(clinic: Clinic) -> Patient:
    return a_patient(clinic)


def wrote(bot: Bot, patient: Patient, text: str = "Should I come?") -> None:
    comes_in(bot, a_text(patient.telegram_id or 0, text))


def the_one(api: Program, view: str = "unread") -> Json:
    (item,) = api.get(f"/inbox?view={view}").json["items"]
    return item


def test_a_reply_stands_in_the_inbox_until_it_is_done(api: Program, bot: Bot, ana: Patient) -> None:
    wrote(bot, ana)
    nora = a_member(ana.clinic, email="nora@clinic.example")

    item = the_one(api)
    assigned = api.post(f"/inbox/{item['id']}/assign", {"member": "nora@clinic.example"})
    done = api.post(f"/inbox/{item['id']}/done", {"seen": item["last"]["id"]})

    assert (item["patient"], item["standing"], item["unread"]) == ({"id": str(ana.id), "name": ana.name}, "unread", 1)
    assert (item["last"]["kind"], item["last"]["text"]) == ("text", "Should I come?")
    assert assigned.json["holder"] == {"id": str(nora.id), "name": "nora@clinic.example"}
    assert (done.json["standing"], done.json["holder"]) == ("done", None)
    assert the_one(api, "done")["id"] == item["id"]
    assert api.get(f"/inbox/{item['id']}").json["standing"] == "done"


def test_a_program_answers_once_for_one_key(api: Program, bot: Bot, ana: Patient) -> None:
    wrote(bot, ana)
    path = f"/inbox/{the_one(api)['id']}/answer"

    first = api.post(path, {"text": "Yes, at nine."}, key="answer-1")
    again = api.post(path, {"text": "Yes, at nine."}, key="answer-1")

    assert (first.status, first.json["lane"], first.json["text"]) == (201, "answer", "Yes, at nine.")
    assert first.json == again.json
    assert first.headers["Location"].endswith(first.json["id"])
    assert Message.objects.filter(patient=ana).count() == 1


def test_an_opted_out_patient_is_not_answered(api: Program, bot: Bot, ana: Patient) -> None:
    wrote(bot, ana)
    wrote(bot, ana, "STOP")

    refused = api.post(f"/inbox/{the_one(api)['id']}/answer", {"text": "Hello"})

    assert refused.status == 409
    assert "opted out" in refused.json["detail"]


def test_a_program_can_have_nothing_itself(api: Program, bot: Bot, ana: Patient) -> None:
    wrote(bot, ana)

    assert api.post(f"/inbox/{the_one(api)['id']}/take").status == 409
    assert api.post(f"/inbox/{the_one(api)['id']}/give-back").status == 409


@pytest.mark.both_databases
def test_the_inbox_comes_page_by_page(api: Program, bot: Bot, clinic: Clinic) -> None:
    patients = [a_patient(clinic, f"Ana {number}") for number in range(5)]
    for patient in patients:
        wrote(bot, patient)

    pages = api.pages("/inbox?limit=2")

    assert [len(page) for page in pages] == [2, 2, 1]
    assert {item["patient"]["id"] for page in pages for item in page} == {str(patient.id) for patient in patients}


def test_another_clinic_s_conversation_is_not_there(api: Program, bot: Bot) -> None:
    elsewhere = a_bot(a_clinic())
    wrote(elsewhere, a_patient(elsewhere.clinic))

    assert api.get("/inbox").json["items"] == []
    assert api.get(f"/inbox/{Conversation.objects.get().id}").status == 404


def test_urgent_help_needs_a_number_and_shows_in_the_inbox(
    program: Callable[[Role], Program], bot: Bot, ana: Patient
) -> None:
    admin = program(Role.ADMIN)

    refused = admin.patch("/urgent-help", {"words": ["help"]})
    kept = admin.patch("/urgent-help", {"words": ["help"], "phone": "+49 30 112112"})
    wrote(bot, ana, "Help!")
    wrote(bot, a_patient(bot.clinic, "Ben Silva"))

    assert (refused.status, refused.wrong_fields) == (422, ["phone"])
    assert kept.json == admin.get("/urgent-help").json == {"words": ["help"], "phone": "+49 30 112112"}
    (urgent,) = admin.get("/inbox?urgent=true").json["items"]
    assert (urgent["patient"]["name"], bool(urgent["urgent_at"])) == ("Ana Silva", True)
    assert program(Role.PROVIDER).patch("/urgent-help", {"words": []}).status == 403


def test_a_schedule_s_buttons_read_back_and_change(api: Program, ana: Patient) -> None:
    body = {
        "patients": [str(ana.id)],
        "text": "Take your tablet.",
        "starts_at": "2035-12-01T09:00",
        "timezone": "patient",
        "buttons": [{"text": "Taken"}, {"text": "Later", "again_after": "PT30M"}],
        "answer_within": "PT2H",
    }

    made = api.post("/schedules", body).json
    changed = api.patch(f"/schedules/{made['id']}", {"buttons": [{"text": "Yes"}], "answer_within": None}).json
    same_text = api.get(f"/schedules/{made['id']}").json

    assert made["buttons"] == [{"text": "Taken", "again_after": None}, {"text": "Later", "again_after": "PT30M"}]
    assert made["answer_within"] == "PT2H"
    assert (changed["buttons"], changed["answer_within"]) == ([{"text": "Yes", "again_after": None}], None)
    assert same_text["text"] == "Take your tablet."


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"buttons": [{"text": "  "}]}, "buttons.0.text"),
        ({"buttons": [{"text": "a\nb"}]}, "buttons.0.text"),
        ({"buttons": [{"text": "Yes"}, {"text": "Yes"}]}, "buttons"),
        ({"buttons": [{"text": "Later", "again_after": "PT1M"}]}, "buttons.0.again_after"),
        ({"buttons": [{"text": "Later", "again_after": "soon"}]}, "buttons.0.again_after"),
        ({"answer_within": "PT1M"}, "answer_within"),
        ({"answer_within": "P8D"}, "answer_within"),
    ],
)
def test_buttons_and_times_that_can_t_be_are_refused(api: Program, ana: Patient, values: Json, field: str) -> None:
    body = {"patients": [str(ana.id)], "text": "Hello", "starts_at": "2035-12-01T09:00", "timezone": "patient"}

    refused = api.post("/schedules", body | values)

    assert (refused.status, refused.wrong_fields) == (422, [field])


def test_an_answered_message_says_what_was_tapped_and_later_what_it_follows(
    api: Program, bot: Bot, ana: Patient
) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, 1))

    read = api.get(f"/messages/{question.id}").json
    listed = api.get(f"/messages?patient={ana.id}").json["items"]
    spoken = api.get(f"/patients/{ana.id}/conversation").json["items"]

    assert (read["answer"], bool(read["answered_at"]), read["follows"]) == ("Later", True, None)
    # The note in the chat that shows the tapped answer is not a message in the list.
    assert [(message["follow_kind"], message["follows"]) for message in listed] == [
        (None, None),
        ("later", str(question.id)),
    ]
    assert [(item["direction"], item["kind"], item["text"]) for item in spoken] == [
        ("out", "message", "Take your tablet."),
        ("in", "tap", "Later"),
    ]


def test_the_conversation_says_who_wrote_back(api: Program, bot: Bot, ana: Patient) -> None:
    wrote(bot, ana)
    sent = api.post(f"/inbox/{the_one(api)['id']}/answer", {"text": "Yes, at nine."}).json
    Message.objects.filter(pk=sent["id"]).update(status="sent", sent_at=NOW + dt.timedelta(minutes=1))

    last = api.get(f"/patients/{ana.id}/conversation").json["items"][-1]

    assert (last["direction"], last["text"], bool(last["by"])) == ("out", "Yes, at nine.", True)
