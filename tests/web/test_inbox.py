"""The inbox's pages, the urgent strip on every page, and the patient's conversation."""

import html
import re
import uuid
from collections.abc import Callable

import pytest

from companion.clinics.models import Bot, Clinic, Closed, Role
from companion.listener.models import Conversation, Standing
from companion.patients.models import Consent, Patient
from companion.schedules.models import Message, Schedule
from tests.api.calls import a_program
from tests.builders import NOW, a_bot, a_clinic, a_patient
from tests.listener.stories import a_question, a_text, comes_in, edited_to, tap_on
from tests.web.signed_in import nobody, signed_in, typed, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic(urgent_words=["help"], urgent_phone="112"))


@pytest.fixture
def ana(bot: Bot) -> Patient:
    return a_patient(bot.clinic, phone="+351 900 1")


def wrote(bot: Bot, ana: Patient, text: str = "Should I stop?") -> Conversation:
    comes_in(bot, a_text(ana.telegram_id or 0, text))
    return Conversation.objects.get(patient=ana)


def test_a_reply_is_counted_in_the_bar_and_stands_in_the_list(bot: Bot, ana: Patient) -> None:
    wrote(bot, ana)

    shown = words(signed_in(bot.clinic).get("/inbox"))

    assert "Inbox 1 unread" in shown
    assert "Ana Silva" in shown
    assert "Should I stop?" in shown
    assert "unassigned Assign to me" in shown


def test_an_edited_message_is_shown_with_both_wordings(bot: Bot, ana: Patient) -> None:
    first = a_text(ana.telegram_id or 0, "I took 2")
    comes_in(bot, first)
    client = signed_in(bot.clinic)
    one = Conversation.objects.get(patient=ana)
    seen = re.findall(r"seen=([0-9a-f]{8})", client.get(f"/inbox/{one.id}").content.decode())[0]

    comes_in(bot, edited_to(first, "I took <3>"))

    for path in (f"/inbox/{one.id}?part=said&seen={seen}", f"/patients/{ana.id}"):
        shown = words(client.get(path))
        assert "I took <3>" in shown
        assert "edited" in shown
        assert "Before the edit I took 2" in shown
    assert "I took <3>" in words(client.get("/inbox"))


def test_who_read_the_old_wording_only_is_not_done(bot: Bot, ana: Patient) -> None:
    first = a_text(ana.telegram_id or 0, "I took 2")
    comes_in(bot, first)
    one = Conversation.objects.get(patient=ana)

    comes_in(bot, edited_to(first, "I took 3"))
    signed_in(bot.clinic).post(f"/inbox/{one.id}/done", {"seen": str(one.last_reply_id)})

    one.refresh_from_db()
    assert one.standing == Standing.UNREAD


def test_taking_answering_and_done(bot: Bot, ana: Patient) -> None:
    one = wrote(bot, ana)
    client = signed_in(bot.clinic)

    client.post(f"/inbox/{one.id}/take")
    page = client.get(f"/inbox/{one.id}")
    key = re.findall(r'name="id" value="([^"]+)"', page.content.decode())[0]
    for _ in range(2):
        client.post(f"/inbox/{one.id}/answer", {"id": key, "text": "No, go on as before."})
    answered = words(client.get(f"/inbox/{one.id}"))
    client.post(f"/inbox/{one.id}/done", {"seen": str(one.last_reply_id)})

    one.refresh_from_db()
    assert "Assigned to" in words(page)
    assert "Answer on its way: “No, go on as before.”" in answered
    assert Message.objects.filter(patient=ana).count() == 1
    assert one.standing == Standing.DONE


def test_what_came_meanwhile_is_not_done(bot: Bot, ana: Patient) -> None:
    one = wrote(bot, ana)
    wrote(bot, ana, "It hurts")
    client = signed_in(bot.clinic)

    shown = words(client.post(f"/inbox/{one.id}/done", {"seen": str(one.last_reply_id)}, follow=True))

    assert "A new message came in meanwhile. Read it, then try again." in shown


def test_somebody_else_s_can_be_given_on_and_taken_over(bot: Bot, ana: Patient) -> None:
    one = wrote(bot, ana)
    nora, eva = signed_in(bot.clinic), signed_in(bot.clinic)
    nora.post(f"/inbox/{one.id}/take")

    late = words(eva.post(f"/inbox/{one.id}/take", follow=True))
    own = re.findall(r'name="member" value="([^"]+)"', eva.get(f"/inbox/{one.id}").content.decode())[0]
    eva.post(f"/inbox/{one.id}/assign", {"member": own})

    one.refresh_from_db()
    assert "has it already." in late
    assert one.holder_name == own


def test_who_opted_out_gets_no_form_but_the_reason(bot: Bot, ana: Patient) -> None:
    one = wrote(bot, ana)
    Patient.objects.filter(pk=ana.pk).update(consent=Consent.WITHDRAWN)
    client = signed_in(bot.clinic)

    shown = client.get(f"/inbox/{one.id}")
    refused = client.post(f"/inbox/{one.id}/answer", {"id": str(nobody()), "text": "Hello"})

    assert "opted out with STOP: nothing can be sent" in words(shown)
    assert 'name="text"' not in shown.content.decode()
    assert refused.status_code == 422
    assert not Message.objects.filter(patient=ana).exists()


def test_every_page_shows_who_asks_for_help_until_somebody_takes_it(bot: Bot, ana: Patient) -> None:
    one = wrote(bot, ana, "Help!")
    client = signed_in(bot.clinic)
    strip = "Ana Silva asked for urgent help"

    before = [words(client.get(page)) for page in ("/scheduled-messages", "/patients", "/inbox", "/inbox/news")]
    client.post(f"/inbox/{one.id}/take")
    after = words(client.get("/patients"))

    assert all(strip in shown for shown in before)
    assert "Phone +351 900 1." in before[0]
    assert strip not in after


def test_a_viewer_reads_and_has_no_buttons(bot: Bot, ana: Patient) -> None:
    one = wrote(bot, ana, "help")
    client = signed_in(bot.clinic, Role.VIEWER)

    shown = client.get(f"/inbox/{one.id}")

    assert '<form method="post" action="/inbox/' not in shown.content.decode()
    assert client.post(f"/inbox/{one.id}/take").status_code == 403


@pytest.mark.parametrize("view", ["unread", "mine", "taken", "done", "strangers", "nonsense"])
def test_every_view_says_when_it_is_empty(bot: Bot, view: str) -> None:
    answer = signed_in(bot.clinic).get(f"/inbox?view={view}&from=x")

    assert answer.status_code == 200
    assert "Replies from patients appear here." in words(answer)


def test_another_clinic_s_conversation_is_not_there(bot: Bot, ana: Patient) -> None:
    one = wrote(bot, ana, "help")
    client = signed_in(a_clinic())

    assert client.get(f"/inbox/{one.id}").status_code == 404
    assert client.post(f"/inbox/{one.id}/take").status_code == 404
    assert "urgent help" not in words(client.get("/inbox"))


def test_a_stranger_stands_apart(bot: Bot) -> None:
    comes_in(bot, a_text(5_900_000_001, "Who is this?"))
    one = Conversation.objects.get()
    client = signed_in(bot.clinic)

    assert "Unknown chat Telegram ID 5900000001" in words(client.get("/inbox?view=strangers"))
    assert "Who is this?" in words(client.get(f"/inbox/{one.id}"))


def test_the_patient_s_page_shows_the_conversation_with_its_taps(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, 0))
    client = signed_in(bot.clinic)

    page, part = words(client.get(f"/patients/{ana.id}")), words(client.get(f"/patients/{ana.id}/said"))
    message = words(client.get(f"/scheduled-messages/{question.id}"))

    assert "Tapped: Taken" in page
    assert "Tapped: Taken" in part
    assert "Answer Taken ," in message
    assert "Answered: Taken" in words(client.get("/scheduled-messages?status=sent"))


def test_a_later_that_an_answer_made_needless_says_so(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, 1))
    comes_in(bot, tap_on(question, 0))
    later = Message.objects.get(follows=question, follow_kind="later")

    shown = words(signed_in(bot.clinic).get(f"/scheduled-messages/{later.id}"))

    assert "It was not needed any more: the patient had answered." in shown
    assert "The first message" in shown


def test_the_form_plans_buttons_and_the_time_to_wait(clinic_with_ana: tuple[Clinic, Patient]) -> None:
    clinic, ana = clinic_with_ana
    client = signed_in(clinic)
    form = typed(ana, button=["Taken", "Later", ""], again=["", "PT30M", ""], answer_within="PT2H")

    preview = words(client.post("/scheduled-messages/new/preview", form))
    client.post("/scheduled-messages/new", form)
    schedule = Schedule.objects.get()
    edited = client.get(f"/scheduled-messages/series/{schedule.id}/edit").content.decode()

    assert "Taken Later" in preview
    assert schedule.answer_within is not None
    assert schedule.versions.get().buttons == '[["Taken", null], ["Later", 1800.0]]'
    assert 'value="Taken"' in edited
    assert 'value="PT30M" selected' in edited
    assert "Taken Later Without an answer 2 hours after it was sent, one reminder goes out" in words(
        client.get(f"/scheduled-messages/series/{schedule.id}")
    )


def test_a_wrong_button_is_named_beside_it(clinic_with_ana: tuple[Clinic, Patient]) -> None:
    clinic, ana = clinic_with_ana

    answer = signed_in(clinic).post("/scheduled-messages/new", typed(ana, button=["Yes", "Yes"], again=["", ""]))

    assert answer.status_code == 422
    assert "Two buttons say the same." in words(answer)


@pytest.fixture
def clinic_with_ana(bot: Bot, ana: Patient) -> tuple[Clinic, Patient]:
    return bot.clinic, ana


def test_the_words_for_help_are_kept_once_there_is_a_number() -> None:
    clinic = a_clinic()
    client = signed_in(clinic, Role.ADMIN)

    refused = client.post("/settings/help", {"words": "help\r\nchest pain", "phone": ""})
    client.post("/settings/help", {"words": "help\r\nchest pain", "phone": "+49 30 1"})

    clinic.refresh_from_db()
    assert refused.status_code == 422
    assert "Enter the number to call first" in words(refused)
    assert "chest pain" in refused.content.decode()
    assert (clinic.urgent_words, clinic.urgent_phone) == (["help", "chest pain"], "+49 30 1")
    assert signed_in(clinic).post("/settings/help", {"words": ""}).status_code == 403


def test_what_the_page_shows_already_is_not_sent_again(bot: Bot, ana: Patient) -> None:
    one = wrote(bot, ana, "help")
    client = signed_in(bot.clinic)
    page = client.get(f"/inbox/{one.id}").content.decode()
    again = [html.unescape(found) for found in re.findall(r'hx-get="(/inbox/[^"]+seen=[^"]+)"', page)]

    before = [client.get(address).status_code for address in again]
    wrote(bot, ana, "Where are you?")
    client.post(f"/inbox/{one.id}/take")
    after = [client.get(address).status_code for address in again]

    assert len(again) == 2
    assert (before, after) == ([204, 204], [200, 200])


def test_the_inbox_says_that_urgent_words_need_a_number(bot: Bot, ana: Patient) -> None:
    Clinic.objects.filter(pk=bot.clinic_id).update(urgent_phone="")
    one = wrote(bot, ana, "Where are you?")
    said = "No urgent number is set"

    for address in ("/inbox", f"/inbox/{one.id}"):
        assert said in words(signed_in(bot.clinic).get(address))
        assert 'href="/settings#help"' in signed_in(bot.clinic, Role.ADMIN).get(address).content.decode()

    Clinic.objects.filter(pk=bot.clinic_id).update(urgent_phone="+49 30 1")
    assert said not in words(signed_in(bot.clinic).get("/inbox"))


def test_an_answer_to_a_patient_who_blocked_the_bot_is_no_success(bot: Bot, ana: Patient) -> None:
    one = wrote(bot, ana, "Where are you?")
    Patient.objects.filter(pk=ana.pk).update(trouble="blocked")
    client = signed_in(bot.clinic)

    before = words(client.get(f"/inbox/{one.id}"))
    form = {"text": "Here.", "id": str(uuid.uuid4())}
    after = words(client.post(f"/inbox/{one.id}/answer", form, follow=True))

    assert "Probably won't arrive: The patient has blocked the bot." in before
    assert "Your answer is waiting. Probably won't arrive: The patient has blocked the bot." in after
    assert "on its way" not in after


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"trouble": "deactivated"}, "Probably won't arrive: The patient has deleted their Telegram account."),
        ({"trouble": "chat_not_found"}, "Probably won't arrive: The patient has no chat with the bot."),
        ({"consent": Consent.WITHDRAWN}, "The patient opted out with STOP: nothing can be sent."),
        ({"left_at": NOW}, "The patient has left the clinic's directory."),
        ({"telegram_id": None}, "No Telegram ID is known any more."),
    ],
)
def test_a_waiting_answer_that_will_not_arrive_is_never_shown_as_on_its_way(
    bot: Bot, ana: Patient, state: dict[str, object], sentence: str
) -> None:
    one = wrote(bot, ana, "Where are you?")
    client = signed_in(bot.clinic)
    client.post(f"/inbox/{one.id}/answer", {"text": "Here.", "id": str(uuid.uuid4())})

    Patient.objects.filter(pk=ana.pk).update(**state)

    for address in (
        f"/inbox/{one.id}",
        f"/inbox/{one.id}?part=said",
        f"/patients/{ana.id}",
        f"/patients/{ana.id}/said",
    ):
        shown = words(client.get(address))
        assert f"Your answer is waiting. {sentence}" in shown
        assert "on its way" not in shown


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"trouble": "blocked"}, "blocked"),
        ({"trouble": "deactivated"}, "deactivated"),
        ({"trouble": "chat_not_found"}, "chat_not_found"),
        ({"consent": Consent.WITHDRAWN}, "opted_out"),
        ({"left_at": NOW}, "left"),
        ({"telegram_id": None}, "no_telegram_id"),
    ],
)
def test_a_waiting_answer_that_will_not_arrive_warns_over_the_api(
    bot: Bot, ana: Patient, state: dict[str, object], code: str
) -> None:
    one = wrote(bot, ana, "Where are you?")
    program = a_program(bot.clinic, Role.PROVIDER)
    sent = program.post(f"/inbox/{one.id}/answer", {"text": "Here."})
    assert (sent.status, sent.json["warnings"]) == (201, [])

    Patient.objects.filter(pk=ana.pk).update(**state)

    shown = program.get(f"/messages/{sent.json['id']}").json
    assert (shown["status"], [warning["code"] for warning in shown["warnings"]]) == ("pending", [code])


@pytest.mark.parametrize(
    "state", [{"consent": Consent.WITHDRAWN}, {"left_at": NOW}, {"telegram_id": None}], ids=["stopped", "left", "no ID"]
)
def test_an_answer_to_who_cannot_be_reached_any_more_is_refused_over_the_api(
    bot: Bot, ana: Patient, state: dict[str, object]
) -> None:
    one = wrote(bot, ana, "Where are you?")
    Patient.objects.filter(pk=ana.pk).update(**state)

    assert a_program(bot.clinic, Role.PROVIDER).post(f"/inbox/{one.id}/answer", {"text": "Here."}).status == 409
    assert not Message.objects.filter(text="Here.").exists()


def test_the_waiting_confirmation_of_a_stop_carries_no_warning(bot: Bot, ana: Patient) -> None:
    comes_in(bot, a_text(ana.telegram_id or 0, "STOP"))

    program = a_program(bot.clinic, Role.PROVIDER)
    assert program.get(f"/messages/{Message.objects.get().id}").json["warnings"] == []


@pytest.mark.parametrize(
    ("stop", "sentence"),
    [
        (lambda bot: Clinic.objects.filter(pk=bot.clinic_id).update(sending_paused_at=NOW), "Sending is paused"),
        (lambda bot: Bot.objects.filter(pk=bot.pk).update(closed_why=Closed.UNAUTHORIZED), "Telegram refuses the bot"),
    ],
)
def test_an_answer_that_waits_for_the_clinic_is_no_success(
    bot: Bot, ana: Patient, stop: Callable[[Bot], int], sentence: str
) -> None:
    one = wrote(bot, ana, "Where are you?")
    stop(bot)
    client, program = signed_in(bot.clinic), a_program(bot.clinic, Role.PROVIDER)

    before = words(client.get(f"/inbox/{one.id}"))
    after = words(client.post(f"/inbox/{one.id}/answer", {"text": "Here.", "id": str(uuid.uuid4())}, follow=True))
    over_the_api = program.post(f"/inbox/{one.id}/answer", {"text": "Here."})

    assert sentence in before
    assert f"Your answer is waiting. {sentence}" in after
    assert "on its way" not in after
    assert over_the_api.json["warnings"][0]["message"].startswith(sentence)


def test_an_answer_to_a_stranger_that_is_too_long_is_refused_and_stays_typed(bot: Bot) -> None:
    comes_in(bot, a_text(5_900_000_001, "Do you have room?"))
    one = Conversation.objects.get(patient=None)
    text = "a" * 4_097

    page = signed_in(bot.clinic).post(f"/inbox/{one.id}/answer", {"text": text, "id": str(uuid.uuid4())})
    over_the_api = a_program(bot.clinic, Role.PROVIDER).post(f"/inbox/{one.id}/answer", {"text": text})

    assert page.status_code == 422
    assert text in page.content.decode()
    assert "1 character too long" in words(page)
    assert (over_the_api.status, over_the_api.wrong_fields) == (422, ["text"])
    assert not Message.objects.filter(created_by_kind__in=("member", "key")).exists()
