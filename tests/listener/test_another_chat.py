"""A chat in which a patient is reached no more hears so, and the clinic confirms the new one."""

import pytest

from companion.clinics.models import Bot
from companion.delivery import store
from companion.delivery.store import Marked
from companion.patients.models import Consent
from companion.schedules.models import Message
from tests.api.calls import a_program
from tests.builders import NOW, a_patient
from tests.delivery.rounds import begun
from tests.listener.chats import by_import, stops, works_off_marks
from tests.listener.stories import CHAT, a_tap, a_text, button, comes_in, invited, told
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


def farewells(bot: Bot) -> list[tuple[int | None, str]]:
    told = Message.objects.filter(clinic=bot.clinic, text__isnull=False).order_by("id")
    return [(one.telegram_id, one.status) for one in told if "no longer come here" in (one.text or "")]


def test_a_second_invitation_tells_the_clinic_at_once_and_the_old_chat_after_the_yes(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)

    comes_in(bot, a_text(CHAT, start))

    assert told(bot) == [("exchanged", ana)]
    assert farewells(bot) == []
    comes_in(bot, a_tap(CHAT, button(bot, 0)))
    assert farewells(bot) == [(CHAT + 1, "pending")]
    assert CHAT + 1 in [one.chat for one in begun(bot).begun]


def test_not_me_tells_the_old_chat_nothing_and_leaves_one_line_for_the_clinic(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, start))

    comes_in(bot, a_tap(CHAT, button(bot, 1)))

    assert farewells(bot) == []
    assert told(bot) == [("not_me", ana)]


@pytest.mark.parametrize("door", ["API", "form", "import"])
def test_whichever_door_changes_the_id_the_old_chat_is_told_once(bot: Bot, door: str) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT, external_id="P-1")
    if door == "API":
        a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": CHAT + 1})
    elif door == "form":
        typed = {"external_id": "P-1", "name": "Ana Silva", "telegram_id": CHAT + 1}
        typed |= {"timezone": "Europe/Berlin", "language": "en"}
        assert signed_in(bot.clinic).post(f"/patients/{ana.id}/edit", typed).status_code == 302
    else:
        by_import(bot, {"external_id": "P-1", "name": "Ana Silva", "telegram_id": CHAT + 1})
    works_off_marks()
    works_off_marks()

    assert farewells(bot) == [(CHAT, "pending")]


def test_a_chat_that_opted_out_is_not_told(bot: Bot) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT)
    stops(bot)

    a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": CHAT + 1})

    assert farewells(bot) == []


def test_a_chat_that_never_agreed_and_got_nothing_is_not_told(bot: Bot) -> None:
    """A number that was typed wrong is nobody's to be bothered."""
    ana = a_patient(bot.clinic, telegram_id=CHAT, consent=Consent.UNKNOWN)

    a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": CHAT + 1})

    assert farewells(bot) == []


def test_what_telegram_says_of_the_old_chat_is_no_mark_of_the_new_one(bot: Bot) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT)
    a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": CHAT + 1})
    message = Message.objects.get()

    store.mark_patients([Marked(message.pk, "blocked", NOW)])

    ana.refresh_from_db()
    assert ana.trouble == ""


def test_the_page_of_patients_asks_to_confirm_a_chat_that_was_another_patient_s(bot: Bot) -> None:
    ana, ben = a_patient(bot.clinic, "Ana Silva", telegram_id=CHAT), a_patient(bot.clinic, "Ben Costa")
    by_hand = signed_in(bot.clinic)
    a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": None})

    a_program(bot.clinic).patch(f"/patients/{ben.id}", {"telegram_id": CHAT})

    assert "Confirm with Ben that this chat is theirs" in words(by_hand.get("/patients"))
