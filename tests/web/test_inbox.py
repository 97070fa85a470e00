"""The inbox's pages, the urgent strip on every page, and the patient's conversation."""

import html
import re

import pytest

from companion.clinics.models import Bot, Clinic, Role
from companion.listener.models import Conversation, Standing
from companion.patients.models import Patient
from companion.schedules.models import Message
from tests.builders import a_clinic
from tests.listener.stories import a_text, comes_in, edited_to
from tests.web.inbox import ana, bot, wrote
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db
__all__ = ["ana", "bot"]


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
    conversation = Conversation.objects.get(patient=ana)
    seen = re.findall(r"seen=([0-9a-f]{8})", client.get(f"/inbox/{conversation.id}").content.decode())[0]

    comes_in(bot, edited_to(first, "I took <3>"))

    for path in (f"/inbox/{conversation.id}?part=messages&seen={seen}", f"/patients/{ana.id}"):
        shown = words(client.get(path))
        assert "I took <3>" in shown
        assert "edited" in shown
        assert "Before the edit I took 2" in shown
    assert "I took <3>" in words(client.get("/inbox"))


def test_a_conversation_of_which_only_the_old_wording_was_read_is_not_done(bot: Bot, ana: Patient) -> None:
    first = a_text(ana.telegram_id or 0, "I took 2")
    comes_in(bot, first)
    conversation = Conversation.objects.get(patient=ana)

    comes_in(bot, edited_to(first, "I took 3"))
    signed_in(bot.clinic).post(f"/inbox/{conversation.id}/done", {"seen": str(conversation.last_reply_id)})

    conversation.refresh_from_db()
    assert conversation.standing == Standing.UNREAD


def test_taking_answering_and_done(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana)
    client = signed_in(bot.clinic)

    client.post(f"/inbox/{conversation.id}/take")
    page = client.get(f"/inbox/{conversation.id}")
    key = re.findall(r'name="id" value="([^"]+)"', page.content.decode())[0]
    for _ in range(2):
        client.post(f"/inbox/{conversation.id}/answer", {"id": key, "text": "No, go on as before."})
    answered = words(client.get(f"/inbox/{conversation.id}"))
    client.post(f"/inbox/{conversation.id}/done", {"seen": str(conversation.last_reply_id)})

    conversation.refresh_from_db()
    assert "Assigned to" in words(page)
    assert "Answer on its way: “No, go on as before.”" in answered
    assert Message.objects.filter(patient=ana).count() == 1
    assert conversation.standing == Standing.DONE


def test_a_conversation_with_a_newer_message_is_not_done(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana)
    wrote(bot, ana, "It hurts")
    client = signed_in(bot.clinic)

    shown = words(client.post(f"/inbox/{conversation.id}/done", {"seen": str(conversation.last_reply_id)}, follow=True))

    assert "A new message came in meanwhile. Read it, then try again." in shown


def test_somebody_else_s_can_be_given_on_and_taken_over(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana)
    nora, eva = signed_in(bot.clinic), signed_in(bot.clinic)
    nora.post(f"/inbox/{conversation.id}/take")

    late = words(eva.post(f"/inbox/{conversation.id}/take", follow=True))
    own = re.findall(r'name="member" value="([^"]+)"', eva.get(f"/inbox/{conversation.id}").content.decode())[0]
    eva.post(f"/inbox/{conversation.id}/assign", {"member": own})

    conversation.refresh_from_db()
    assert "has this conversation already." in late
    assert conversation.holder_name == own


def test_every_page_shows_who_asks_for_help_until_somebody_takes_it(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana, "Help!")
    client = signed_in(bot.clinic)
    strip = "Ana Silva asked for urgent help"

    before = [words(client.get(page)) for page in ("/scheduled-messages", "/patients", "/inbox", "/inbox/news")]
    client.post(f"/inbox/{conversation.id}/take")
    after = words(client.get("/patients"))

    assert all(strip in shown for shown in before)
    assert "Phone +351 900 1." in before[0]
    assert strip not in after


def test_a_viewer_reads_and_has_no_buttons(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana, "help")
    client = signed_in(bot.clinic, Role.VIEWER)

    shown = client.get(f"/inbox/{conversation.id}")

    assert '<form method="post" action="/inbox/' not in shown.content.decode()
    assert client.post(f"/inbox/{conversation.id}/take").status_code == 403


@pytest.mark.parametrize("view", ["unread", "mine", "taken", "done", "strangers", "nonsense"])
def test_every_view_says_when_it_is_empty(bot: Bot, view: str) -> None:
    answer = signed_in(bot.clinic).get(f"/inbox?view={view}&from=x")

    assert answer.status_code == 200
    assert "Replies from patients appear here." in words(answer)


def test_another_clinic_s_conversation_is_not_there(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana, "help")
    client = signed_in(a_clinic())

    assert client.get(f"/inbox/{conversation.id}").status_code == 404
    assert client.post(f"/inbox/{conversation.id}/take").status_code == 404
    assert "urgent help" not in words(client.get("/inbox"))


def test_a_stranger_stands_apart(bot: Bot) -> None:
    comes_in(bot, a_text(5_900_000_001, "Who is this?"))
    conversation = Conversation.objects.get()
    client = signed_in(bot.clinic)

    assert "Unknown chat Telegram ID 5900000001" in words(client.get("/inbox?view=strangers"))
    assert "Who is this?" in words(client.get(f"/inbox/{conversation.id}"))


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


def test_a_part_that_the_page_shows_already_is_not_sent_again(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana, "help")
    client = signed_in(bot.clinic)
    page = client.get(f"/inbox/{conversation.id}").content.decode()
    again = [html.unescape(found) for found in re.findall(r'hx-get="(/inbox/[^"]+seen=[^"]+)"', page)]

    before = [client.get(address).status_code for address in again]
    wrote(bot, ana, "Where are you?")
    client.post(f"/inbox/{conversation.id}/take")
    after = [client.get(address).status_code for address in again]

    assert len(again) == 2
    assert (before, after) == ([204, 204], [200, 200])


def test_the_inbox_says_that_urgent_words_need_a_number(bot: Bot, ana: Patient) -> None:
    Clinic.objects.filter(pk=bot.clinic_id).update(urgent_phone="")
    conversation = wrote(bot, ana, "Where are you?")
    said = "No urgent number is set"

    for address in ("/inbox", f"/inbox/{conversation.id}"):
        assert said in words(signed_in(bot.clinic).get(address))
        assert 'href="/settings#help"' in signed_in(bot.clinic, Role.ADMIN).get(address).content.decode()

    Clinic.objects.filter(pk=bot.clinic_id).update(urgent_phone="+49 30 1")
    assert said not in words(signed_in(bot.clinic).get("/inbox"))
