"""A patient moves to another chat: the former chat is told, and the clinic confirms the new chat."""

from pathlib import Path

import pytest

from companion.clinics import opt_outs
from companion.clinics.models import Bot, Role
from companion.delivery import store
from companion.delivery.store import Marked
from companion.patients import enrolment
from companion.patients.models import Consent, Patient
from companion.patients.sources import configuration
from companion.schedules.models import Message
from tests.api.calls import a_program
from tests.builders import NOW, a_caller, a_patient
from tests.delivery.rounds import begun
from tests.listener.chats import button_of, by_import, stops, works_off_marks
from tests.listener.stories import CHAT, a_tap, a_text, button, comes_in, invited, told
from tests.patients.hospital import synced
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


def farewells(bot: Bot) -> list[tuple[int | None, str]]:
    told = Message.objects.filter(clinic=bot.clinic, text__isnull=False).order_by("id")
    return [(message.telegram_id, message.status) for message in told if "no longer come here" in (message.text or "")]


def test_a_second_invitation_tells_the_clinic_at_once_and_the_old_chat_after_the_yes(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)

    comes_in(bot, a_text(CHAT, start))

    assert told(bot) == [("exchanged", ana)]
    assert farewells(bot) == []
    comes_in(bot, a_tap(CHAT, button(bot, 0)))
    assert farewells(bot) == [(CHAT + 1, "pending")]
    assert CHAT + 1 in [attempt.chat for attempt in begun(bot).begun]


def test_not_me_tells_the_old_chat_nothing_and_leaves_one_line_for_the_clinic(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, start))

    comes_in(bot, a_tap(CHAT, button(bot, 1)))

    assert farewells(bot) == []
    assert told(bot) == [("not_me", ana)]


def gives_another_id(bot: Bot, ana: Patient, door: str, telegram_id: int, folder: Path) -> None:
    """Give Ana another Telegram ID by this door."""
    values = {"external_id": ana.external_id, "name": "Ana Silva", "telegram_id": telegram_id}
    if door == "API":
        assert a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": telegram_id}).status == 200
    elif door == "form":
        typed = values | {"timezone": "Europe/Berlin", "language": "en"}
        assert signed_in(bot.clinic).post(f"/patients/{ana.id}/edit", typed).status_code == 302
    elif door == "import":
        by_import(bot, values)
    else:
        file = folder / "patients.csv"
        file.write_text("\n".join(",".join(map(str, row)) for row in (values.keys(), values.values())))
        configuration.set_csv(a_caller(bot.clinic, Role.ADMIN), file, now=NOW)
        assert synced(bot.clinic).changed == 1
    works_off_marks()
    works_off_marks()


@pytest.mark.parametrize("door", ["API", "form", "import", "sync"])
def test_each_way_to_change_the_id_tells_the_old_chat_once(bot: Bot, door: str, tmp_path: Path) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT, external_id="P-1")

    gives_another_id(bot, ana, door, CHAT + 1, tmp_path)

    assert farewells(bot) == [(CHAT, "pending")]


@pytest.mark.parametrize("door", ["API", "form", "import", "sync"])
def test_a_known_patient_s_id_that_was_another_s_is_to_be_confirmed(bot: Bot, door: str, tmp_path: Path) -> None:
    ben = a_patient(bot.clinic, "Ben Costa", telegram_id=CHAT + 1)
    a_program(bot.clinic).patch(f"/patients/{ben.id}", {"telegram_id": None})
    ana = a_patient(bot.clinic, telegram_id=CHAT, external_id="P-1")

    gives_another_id(bot, ana, door, CHAT + 1, tmp_path)

    assert told(bot) == [("given_on", ana)]
    assert (CHAT, "pending") in farewells(bot)


@pytest.mark.parametrize("door", ["API", "form", "import", "sync"])
def test_opt_outs_stay_after_each_way_to_change_the_id(bot: Bot, door: str, tmp_path: Path) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT, external_id="P-1")
    stops(bot, CHAT)
    stops(bot, CHAT + 1)

    gives_another_id(bot, ana, door, CHAT + 1, tmp_path)

    ana.refresh_from_db()
    assert (ana.telegram_id, ana.consent) == (CHAT + 1, Consent.WITHDRAWN)
    assert all(opt_outs.has_stopped(bot.clinic, chat) for chat in (CHAT, CHAT + 1))
    assert farewells(bot) == []


@pytest.mark.parametrize("door", ["API", "form", "import"])
def test_an_id_changed_by_hand_under_an_open_question_tells_the_chat_before_the_invitation(
    bot: Bot, door: str, tmp_path: Path
) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, start))

    gives_another_id(bot, ana, door, CHAT + 2, tmp_path)

    assert farewells(bot) == [(CHAT + 1, "pending")]
    comes_in(bot, a_tap(CHAT, button_of(ana, "no")))
    ana.refresh_from_db()
    assert ana.telegram_id == CHAT + 2


def test_a_chat_to_which_the_clinic_returns_is_not_told_that_it_gets_no_more(bot: Bot, tmp_path: Path) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, start))

    gives_another_id(bot, ana, "API", CHAT + 1, tmp_path)

    assert farewells(bot) == []


def test_two_invitations_in_a_row_tell_the_chat_that_was_reached_before_both(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, start))
    second = enrolment.invite(a_caller(bot.clinic), ana, now=NOW).link.partition("?start=")[2]
    comes_in(bot, a_text(CHAT + 2, f"/start {second}"))

    comes_in(bot, a_tap(CHAT + 2, button_of(ana, "yes")))

    assert (CHAT + 1, "pending") in farewells(bot)


def test_a_chat_that_opted_out_is_not_told(bot: Bot) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT)
    stops(bot)

    a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": CHAT + 1})

    assert farewells(bot) == []


def test_a_chat_that_never_agreed_and_got_nothing_is_not_told(bot: Bot) -> None:
    """The owner of a mistyped number must not be bothered."""
    ana = a_patient(bot.clinic, telegram_id=CHAT, consent=Consent.UNKNOWN)

    a_program(bot.clinic).patch(f"/patients/{ana.id}", {"telegram_id": CHAT + 1})

    assert farewells(bot) == []


def test_telegrams_refusal_of_the_old_chat_is_no_mark_of_the_new_chat(bot: Bot) -> None:
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
