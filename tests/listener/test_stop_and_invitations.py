"""A Start with an invitation undoes no STOP and no withdrawal by itself: the yes to its question does."""

import datetime as dt

import pytest

from companion.clinics import opt_outs
from companion.clinics.models import Bot
from companion.patients import consent, enrolment
from companion.patients.models import Consent, Patient
from tests.builders import NOW, a_caller, a_message, a_patient
from tests.delivery.rounds import begun
from tests.listener.chats import arrive, button_of, by_api, leaves, stops
from tests.listener.stories import CHAT, a_tap, a_text, button, comes_in, invited, told

pytestmark = pytest.mark.django_db


def test_a_withdrawal_stays_until_the_yes_in_the_new_chat(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1)
    stops(bot, CHAT + 1)

    comes_in(bot, a_text(CHAT, start))

    ana.refresh_from_db()
    assert (ana.telegram_id, ana.consent) == (CHAT, Consent.WITHDRAWN)
    assert [attempt.text.split()[0] for attempt in begun(bot).begun] == ["Hello!"]
    assert not leaves(bot, a_message(ana))
    comes_in(bot, a_text(CHAT, "/start"))
    ana.refresh_from_db()
    assert ana.consent == Consent.WITHDRAWN
    comes_in(bot, a_tap(CHAT, button_of(ana, "yes")))
    arrive(bot)
    ana.refresh_from_db()
    assert ana.consent == Consent.GIVEN
    assert leaves(bot, a_message(ana))
    assert opt_outs.has_stopped(bot.clinic, CHAT + 1)


def test_not_me_by_a_stranger_gives_back_the_chat_and_the_withdrawal(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1)
    stops(bot, CHAT + 1)
    comes_in(bot, a_text(CHAT, start))

    comes_in(bot, a_tap(CHAT, button(bot, 1)))

    ana.refresh_from_db()
    assert (ana.telegram_id, ana.consent, ana.consent_asked_at) == (CHAT + 1, Consent.WITHDRAWN, None)
    arrive(bot)
    assert not leaves(bot, a_message(ana))
    assert told(bot) == [("not_me", ana)]


def test_not_me_gives_back_the_chat_and_the_consent_that_were_held(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN, trouble="blocked", trouble_at=NOW)
    comes_in(bot, a_text(CHAT, start))
    comes_in(bot, a_text(CHAT, "STOP"))

    comes_in(bot, a_tap(CHAT, button_of(ana, "no")))

    ana.refresh_from_db()
    assert (ana.telegram_id, ana.consent, ana.trouble, ana.trouble_at) == (CHAT + 1, "given", "blocked", NOW)
    assert opt_outs.has_stopped(bot.clinic, CHAT)


def test_not_me_gives_no_chat_back_that_is_another_patient_s_by_now(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, start))
    by_api(bot, {"external_id": "P-2", "name": "Ben Costa", "telegram_id": CHAT + 1})

    comes_in(bot, a_tap(CHAT, button(bot, 1)))

    ana.refresh_from_db()
    assert (ana.telegram_id, ana.consent) == (None, Consent.UNKNOWN)


def test_not_me_gives_a_chat_back_with_the_stop_that_it_said_meanwhile(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, start))
    comes_in(bot, a_text(CHAT + 1, "STOP"))

    comes_in(bot, a_tap(CHAT, button_of(ana, "no")))

    ana.refresh_from_db()
    assert (ana.telegram_id, ana.consent) == (CHAT + 1, Consent.WITHDRAWN)


def test_not_me_undoes_no_withdrawal_that_a_member_noted_meanwhile(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, start))
    question = button(bot, 1)
    consent.note(a_caller(bot.clinic), ana, Consent.WITHDRAWN, now=NOW)

    comes_in(bot, a_tap(CHAT, question))

    ana.refresh_from_db()
    assert (ana.telegram_id, ana.consent) == (CHAT + 1, Consent.WITHDRAWN)


def test_not_me_in_the_very_chat_of_before_unlinks_it(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, start))

    comes_in(bot, a_tap(CHAT, button(bot, 1)))

    ana.refresh_from_db()
    assert (ana.telegram_id, ana.consent) == (None, Consent.UNKNOWN)


def test_a_start_with_an_invitation_undoes_the_chat_s_stop_by_the_yes_only(bot: Bot) -> None:
    stops(bot)
    ana, start = invited(bot)

    comes_in(bot, a_text(CHAT, start))

    assert opt_outs.has_stopped(bot.clinic, CHAT)
    assert [attempt.text.split()[0] for attempt in begun(bot).begun] == ["Hello!"]
    comes_in(bot, a_tap(CHAT, button_of(ana, "yes")))
    assert not opt_outs.has_stopped(bot.clinic, CHAT)
    arrive(bot)
    assert leaves(bot, a_message(Patient.objects.get(pk=ana.pk)))


def test_the_yes_for_a_new_child_leaves_the_others_of_the_chat_opted_out(bot: Bot) -> None:
    ben = a_patient(bot.clinic, "Ben Silva", telegram_id=CHAT, caregiver="Maria Silva")
    stops(bot)
    ana, start = invited(bot, caregiver="Maria Silva")
    comes_in(bot, a_text(CHAT, start))

    comes_in(bot, a_tap(CHAT, button_of(ana, "yes")))
    arrive(bot)

    assert not leaves(bot, a_message(ben))
    assert leaves(bot, a_message(Patient.objects.get(pk=ana.pk)))


def test_the_same_link_pressed_again_after_a_stop_asks_and_undoes_nothing(bot: Bot) -> None:
    ana, start = invited(bot)
    comes_in(bot, a_text(CHAT, start))
    comes_in(bot, a_tap(CHAT, button(bot, 0)))
    stops(bot)

    comes_in(bot, a_text(CHAT, start))

    ana.refresh_from_db()
    assert ana.consent == Consent.WITHDRAWN
    assert [attempt.text.split()[0] for attempt in begun(bot).begun] == ["Hello!"]
    comes_in(bot, a_text(CHAT, "/start"))
    ana.refresh_from_db()
    assert ana.consent == Consent.GIVEN


@pytest.mark.parametrize("kind", ["used", "made up"])
def test_a_link_that_links_nobody_undoes_nothing(bot: Bot, kind: str) -> None:
    _, start = invited(bot)
    enrolment.redeem(bot.clinic, start.removeprefix("/start "), CHAT + 1, now=NOW)
    stops(bot)

    comes_in(bot, a_text(CHAT, start if kind == "used" else "/start nonsense"))

    assert opt_outs.has_stopped(bot.clinic, CHAT)
    later = NOW + dt.timedelta(minutes=2)
    assert [attempt.text.split()[0] for attempt in begun(bot, later).begun] == ["This"]


def test_an_older_yes_than_the_stop_counts_no_more(bot: Bot) -> None:
    ana, start = invited(bot, telegram_id=CHAT + 1)
    stops(bot, CHAT + 1)
    comes_in(bot, a_text(CHAT, start))
    comes_in(bot, a_text(CHAT, "STOP"))

    acknowledged = comes_in(bot, a_tap(CHAT, button_of(ana, "yes"))).acknowledgement

    ana.refresh_from_db()
    assert ana.consent == Consent.WITHDRAWN
    assert opt_outs.has_stopped(bot.clinic, CHAT)
    assert acknowledged
    assert acknowledged.text == ""
