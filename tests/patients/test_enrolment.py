"""Enrolment by a one-time link, and consent with its history."""

import datetime as dt
import re

import pytest

from companion.clinics.access import NotAllowed
from companion.clinics.models import AuditEntry, Role
from companion.clinics.refusals import Conflict, Unknown
from companion.patients import consent, enrolment_notes, queries
from companion.patients.card_words import card_words
from companion.patients.enrolment import NotLinked, Redeemed, invite, invite_many, redeem
from companion.patients.models import Consent, ConsentChange, Enrolment, EnrolmentNote, NoteKind, Patient
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort, a_patient

pytestmark = pytest.mark.django_db

CHAT = 5_111_111_111


def token_for(patient: Patient) -> str:
    link = invite(a_caller(patient.clinic), patient, now=NOW).link
    return link.partition("?start=")[2]


def an_unreached_patient(**fields: object) -> Patient:
    clinic = a_clinic()
    a_bot(clinic, username="linden_bot")
    return a_patient(clinic, "Ana Silva", **{"telegram_id": None, "consent": Consent.UNKNOWN} | fields)


def told(patient: Patient) -> list[tuple[str, int]]:
    """List what the clinic is told of this patient's enrolments."""
    return sorted((note.kind, note.times) for note in enrolment_notes.unseen(patient.clinic, patient=patient))


def test_an_invitation_is_a_link_that_telegram_takes_and_the_same_as_qr() -> None:
    patient = an_unreached_patient()

    invitation = invite(a_caller(patient.clinic), patient, now=NOW)

    assert re.fullmatch(r"https://t\.me/linden_bot\?start=[A-Za-z0-9_-]{32,64}", invitation.link)
    assert invitation.qr_svg.startswith("<svg")
    assert invitation.expires_at == NOW + dt.timedelta(days=7)


def test_only_the_hash_of_a_token_is_kept() -> None:
    patient = an_unreached_patient()

    token = token_for(patient)

    row = Enrolment.objects.values().get()
    assert token not in repr(row)


def test_start_by_the_link_links_the_chat_and_leaves_consent_to_be_asked() -> None:
    patient = an_unreached_patient()

    outcome = redeem(patient.clinic, token_for(patient), CHAT, now=NOW)

    patient.refresh_from_db()
    assert isinstance(outcome, Redeemed)
    assert (patient.telegram_id, patient.consent, patient.consent_asked_at) == (CHAT, Consent.UNKNOWN, NOW)


def test_a_link_works_once_and_its_own_chat_may_press_it_again() -> None:
    patient = an_unreached_patient()
    token = token_for(patient)
    redeem(patient.clinic, token, CHAT, now=NOW)

    assert redeem(patient.clinic, token, CHAT + 1, now=NOW) is NotLinked.USED
    again = redeem(patient.clinic, token, CHAT, now=NOW)
    assert isinstance(again, Redeemed)
    assert again.again


def test_a_used_link_ends_the_patient_s_other_links() -> None:
    patient = an_unreached_patient()
    first, second = token_for(patient), token_for(patient)

    redeem(patient.clinic, second, CHAT, now=NOW)

    assert redeem(patient.clinic, first, CHAT + 1, now=NOW) is NotLinked.USED


def test_a_link_ends_after_seven_days() -> None:
    patient = an_unreached_patient()

    assert redeem(patient.clinic, token_for(patient), CHAT, now=NOW + dt.timedelta(days=7)) is NotLinked.EXPIRED


@pytest.mark.parametrize("token", ["", "x", "é\ud800", "A" * 5000])
def test_a_link_that_nobody_made_is_unknown(token: str) -> None:
    assert redeem(a_clinic(), token, CHAT, now=NOW) is NotLinked.UNKNOWN


def test_a_link_of_another_clinic_is_unknown() -> None:
    patient = an_unreached_patient()

    assert redeem(a_clinic(), token_for(patient), CHAT, now=NOW) is NotLinked.UNKNOWN


def test_a_chat_that_is_another_patient_s_is_not_linked_and_the_clinic_is_told() -> None:
    patient = an_unreached_patient()
    a_patient(patient.clinic, telegram_id=CHAT)

    assert redeem(patient.clinic, token_for(patient), CHAT, now=NOW) is NotLinked.TAKEN
    assert AuditEntry.objects.filter(subject_id=patient.id, action__startswith="enrolment refused").exists()
    assert told(patient) == [(NoteKind.TAKEN, 1)]
    assert "name the caregiver" in enrolment_notes.sentence(EnrolmentNote.objects.get())


def test_a_press_of_a_used_or_expired_link_is_noted_once_until_a_member_has_seen_it() -> None:
    patient = an_unreached_patient()
    used, late = token_for(patient), NOW + dt.timedelta(days=8)
    redeem(patient.clinic, used, CHAT, now=NOW)
    expired = token_for(patient)

    for _ in range(3):
        redeem(patient.clinic, used, CHAT + 1, now=NOW)
    redeem(patient.clinic, expired, CHAT + 1, now=late)
    redeem(patient.clinic, "nobody's", CHAT + 1, now=NOW)

    assert told(patient) == [(NoteKind.EXPIRED, 1), (NoteKind.USED, 3)]
    for note in enrolment_notes.unseen(patient.clinic):
        enrolment_notes.see(a_caller(patient.clinic), note.id, now=NOW)
    assert told(patient) == []
    redeem(patient.clinic, used, CHAT + 1, now=late)
    assert told(patient) == [(NoteKind.USED, 1)]


def test_a_note_of_another_clinic_is_not_there() -> None:
    patient = an_unreached_patient()
    enrolment_notes.tell(patient, NoteKind.USED, now=NOW)
    other = a_clinic()

    assert enrolment_notes.unseen(other) == []
    with pytest.raises(Unknown):
        enrolment_notes.see(a_caller(other), EnrolmentNote.objects.get().id, now=NOW)


def test_a_cohort_s_cards_go_to_those_whom_a_card_brings_back() -> None:
    clinic = a_clinic()
    bot = a_bot(clinic)
    new = a_patient(clinic, "Ana", telegram_id=None, birth_date=dt.date(1958, 3, 14), language="de")
    blocked = a_patient(clinic, "Bo", trouble="blocked")
    others = [
        a_patient(clinic, "Chidi"),
        a_patient(clinic, "Dora", consent=Consent.WITHDRAWN),
        a_patient(clinic, "Emil", telegram_id=None, left_at=NOW),
    ]
    cohort = a_cohort(clinic, "Heart", new, blocked, *others)

    cards = invite_many(a_caller(clinic), list(queries.to_invite(clinic, str(cohort.id)).order_by("name")), now=NOW)

    assert [card.patient for card in cards] == [new, blocked]
    assert len({card.invitation.link for card in cards}) == 2
    assert (cards[0].words.born, cards[0].words.until) == (
        "Geboren am 14. März 1958",
        "Einmal gültig, bis 8. Dezember 2026",
    )
    assert "Linden Clinic fragt dann" in cards[0].words.how
    outcome = redeem(clinic, cards[1].invitation.link.partition("?start=")[2], CHAT, now=NOW)
    assert isinstance(outcome, Redeemed)
    assert outcome.patient == blocked
    assert bot.username in cards[0].invitation.link


def test_a_card_speaks_english_where_the_patient_s_language_has_no_words_yet() -> None:
    words = card_words("sw", clinic="Linden", born=None, until=dt.date(2026, 12, 8))

    assert (words.born, words.until) == ("", "Valid once, until December 8, 2026")


def test_a_caregiver_s_chat_takes_several_patients() -> None:
    patient = an_unreached_patient(caregiver="Maria")
    a_patient(patient.clinic, telegram_id=CHAT)

    assert isinstance(redeem(patient.clinic, token_for(patient), CHAT, now=NOW), Redeemed)


def test_without_a_bot_there_is_nothing_to_invite_to() -> None:
    clinic = a_clinic()

    with pytest.raises(Conflict):
        invite(a_caller(clinic), a_patient(clinic), now=NOW)


def test_a_viewer_invites_nobody() -> None:
    clinic = a_clinic()

    with pytest.raises(NotAllowed):
        invite(a_caller(clinic, Role.VIEWER), a_patient(clinic), now=NOW)


def test_stop_opts_out_everybody_of_the_chat_and_start_gives_back_what_each_had() -> None:
    clinic = a_clinic()
    given = a_patient(clinic, telegram_id=CHAT, caregiver="Maria", consent=Consent.GIVEN)
    unknown = a_patient(clinic, telegram_id=CHAT, caregiver="Maria", consent=Consent.UNKNOWN)

    consent.withdraw(clinic, CHAT, source="patient: /stop", now=NOW)
    consent.withdraw(clinic, CHAT, source="patient: /stop", now=NOW)

    assert set(Patient.objects.values_list("consent", flat=True)) == {Consent.WITHDRAWN}
    consent.restore(clinic, CHAT, source="patient: /start", now=NOW)
    given.refresh_from_db()
    unknown.refresh_from_db()
    assert (given.consent, unknown.consent) == (Consent.GIVEN, Consent.UNKNOWN)


def test_each_change_of_consent_is_one_line_of_history() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, telegram_id=CHAT, consent=Consent.UNKNOWN)

    consent.give(patient, source="patient: agreed", wording="2026-1", now=NOW)
    consent.withdraw(clinic, CHAT, source="patient: /stop", now=NOW)
    consent.withdraw(clinic, CHAT, source="patient: /stop", now=NOW)

    history = ConsentChange.objects.filter(patient=patient).order_by("id")
    assert [(change.consent, change.source, change.wording) for change in history] == [
        (Consent.GIVEN, "patient: agreed", "2026-1"),
        (Consent.WITHDRAWN, "patient: /stop", ""),
    ]


def test_a_member_can_note_consent_but_not_undo_an_opt_out() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, consent=Consent.UNKNOWN)
    caller = a_caller(clinic)

    assert consent.note(caller, patient, Consent.GIVEN, now=NOW).consent == Consent.GIVEN
    assert consent.note(caller, patient, Consent.WITHDRAWN, now=NOW).consent == Consent.WITHDRAWN
    with pytest.raises(Conflict):
        consent.note(caller, patient, Consent.GIVEN, now=NOW)
