"""The list of messages: the place of each message, what needs attention, and acts on many messages."""

import datetime as dt

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from companion.clinics.models import Role
from companion.patients.models import Consent
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from tests.builders import a_bot, a_clinic, a_cohort, a_message, a_patient
from tests.web.signed_in import a_clinic_by_day, signed_in, soon, words

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def _order(shown: str, *pieces: str) -> bool:
    positions = [shown.find(piece) for piece in pieces]
    return -1 not in positions and positions == sorted(positions)


def test_overdue_comes_first_then_next_then_later_then_earlier() -> None:
    clinic = a_clinic_by_day()
    for name, minutes, status in [
        ("Edith", -30, Status.SENT),
        ("Lena", 120, Status.PENDING),
        ("Nina", 10, Status.PENDING),
        ("Otto", -10, Status.PENDING),
    ]:
        a_message(a_patient(clinic, f"{name} Berg"), due_at=soon(minutes), status=status)

    shown = words(signed_in(clinic).get("/scheduled-messages"))

    assert _order(shown, "Overdue", "Otto", "Next", "Nina", "Later", "Lena", "Earlier", "Edith")


def test_a_message_that_was_sent_a_moment_ago_is_not_the_next_message() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic, "Nina Berg"), due_at=soon(10))
    a_message(a_patient(clinic, "Jana Berg"), due_at=soon(0), status=Status.SENT)

    shown = words(signed_in(clinic).get("/scheduled-messages"))

    assert _order(shown, "Just now", "Jana", "Next", "Nina")


def test_a_pending_message_that_can_not_arrive_says_so_before_its_time() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic, consent=Consent.WITHDRAWN), due_at=soon())

    shown = words(signed_in(clinic).get("/scheduled-messages"))

    assert "Won't arrive: opted out" in shown


def test_a_cause_stands_on_a_card_with_its_patient_and_number() -> None:
    clinic = a_clinic_by_day()
    patient = a_patient(clinic, consent=Consent.WITHDRAWN)
    for minutes in (10, 20, 30):
        a_message(patient, due_at=soon(minutes))

    shown = words(signed_in(clinic).get("/scheduled-messages"))

    assert "Ana Silva has opted out: 3 messages won't arrive" in shown


def test_words_say_what_the_numbers_count() -> None:
    clinic = a_clinic_by_day()
    for days in (0, 1, 30):
        a_message(a_patient(clinic), due_at=soon(days * 24 * 60 + 5))

    shown = words(signed_in(clinic).get("/scheduled-messages"))

    assert "Pending 3" in shown
    assert "Messages of a series are counted from two days before they are due." in shown


def test_at_most_three_cards_are_shown() -> None:
    clinic = a_clinic_by_day()
    for number in range(5):
        a_message(a_patient(clinic, f"Patient {number}", telegram_id=None), due_at=soon())

    shown = words(signed_in(clinic).get("/scheduled-messages"))

    assert shown.count("message won't arrive") == 3


def test_an_empty_day_points_to_the_next_message() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic), due_at=soon(3 * 24 * 60))

    shown = words(signed_in(clinic).get("/scheduled-messages"))

    assert "Nothing today. Next:" in shown


def test_a_clinic_that_never_sent_sees_its_first_steps() -> None:
    clinic = a_clinic_by_day()
    a_bot(clinic)

    shown = words(signed_in(clinic).get("/scheduled-messages"))

    assert _order(shown, "Connect a Telegram bot done", "Add your patients", "Plan a message")


def test_no_match_offers_to_clear_the_filters() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic), due_at=soon())

    shown = words(signed_in(clinic).get("/scheduled-messages?q=zebra"))

    assert "No message matches" in shown
    assert "Clear filters" in shown


def test_a_search_finds_by_name_without_accents() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic, "Amélie Dubois"), due_at=soon())
    a_message(a_patient(clinic, "Jonas Weber"), due_at=soon())

    shown = words(signed_in(clinic).get("/scheduled-messages?q=amelie"))

    assert "Amélie Dubois" in shown
    assert "Jonas Weber" not in shown


def test_a_cohort_narrows_the_list() -> None:
    clinic = a_clinic_by_day()
    ana, jonas = a_patient(clinic), a_patient(clinic, "Jonas Weber")
    cohort = a_cohort(clinic, "Diabetes", ana)
    for patient in (ana, jonas):
        a_message(patient, due_at=soon())

    shown = words(signed_in(clinic).get(f"/scheduled-messages?cohort={cohort.id}"))

    assert "Ana Silva" in shown
    assert "Jonas Weber" not in shown


def test_two_patients_of_one_name_are_told_apart() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic, birth_date=dt.date(1940, 1, 10)), due_at=soon())
    a_message(a_patient(clinic, external_id="P-77"), due_at=soon())

    shown = words(signed_in(clinic).get("/scheduled-messages?status=pending"))

    assert "born 10 Jan 1940" in shown
    assert "P-77" in shown


def test_the_patients_own_time_stands_beside_the_clinics() -> None:
    clinic = a_clinic(timezone="Europe/Berlin")
    patient = a_patient(clinic, timezone="Asia/Kathmandu")
    due = dt.datetime(2026, 12, 1, 8, 0, tzinfo=dt.UTC)
    a_message(patient, due_at=due)

    shown = words(signed_in(clinic).get("/scheduled-messages?status=pending"))

    assert "13:45 Kathmandu" in shown


def test_pages_go_on_where_the_last_one_ended() -> None:
    clinic = a_clinic_by_day()
    patient = a_patient(clinic)
    for minutes in range(60):
        a_message(patient, due_at=soon(60 + minutes))
    client = signed_in(clinic)

    first = client.get("/scheduled-messages?status=pending")
    more = first.context["listed"].more
    second = client.get("/scheduled-messages", {"status": "pending", "after": more})

    seen = [row.message.id for page in (first, second) for part in page.context["listed"].sections for row in part.rows]
    assert len(seen) == len(set(seen)) == 60


def test_the_live_part_is_the_rows_alone() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic), due_at=soon())

    answer = signed_in(clinic).get("/scheduled-messages?status=pending&part=rows")

    assert b"<html" not in answer.content
    assert "Ana Silva" in words(answer)


def test_a_changed_line_differs_from_an_unchanged_line() -> None:
    clinic = a_clinic_by_day()
    message = a_message(a_patient(clinic), due_at=soon())
    client = signed_in(clinic)

    def stamp() -> str:
        rows = client.get(f"/scheduled-messages?patient={message.patient_id}").context["listed"].sections[0].rows
        return str(rows[0].stamp)

    before = stamp()
    assert stamp() == before
    Message.objects.update(status=Status.SENT, sent_at=soon(0))
    assert stamp() != before


def test_the_list_asks_the_database_no_more_for_more_rows(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    clinic = a_clinic_by_day()
    for number in range(40):
        a_message(a_patient(clinic, f"Patient {number:02}"), due_at=soon(number))
    client = signed_in(clinic)

    with django_assert_max_num_queries(30):
        client.get("/scheduled-messages?status=pending")


def _post_many(client: Client, do: str, *messages: Message) -> str:
    data = {"do": do, "id": [str(message.id) for message in messages]}
    return words(client.post("/scheduled-messages/many", data, follow=True))


def test_ticked_messages_are_cancelled_and_what_is_over_is_left() -> None:
    clinic = a_clinic_by_day()
    patient = a_patient(clinic)
    pending, sent = a_message(patient, due_at=soon()), a_message(patient, due_at=soon(), status=Status.SENT)

    shown = _post_many(signed_in(clinic), "cancel", pending, sent)

    assert "1 message won't be sent." in shown
    assert "1 message not changed" in shown
    assert Message.objects.get(pk=pending.pk).status == Status.CANCELLED


def test_retrying_many_leaves_alone_what_may_have_arrived() -> None:
    clinic = a_clinic_by_day()
    patient = a_patient(clinic)
    late = a_message(patient, due_at=soon(), status=Status.FAILED, reason=Reason.TOO_LATE)
    unknown = a_message(patient, due_at=soon(), status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN)

    _post_many(signed_in(clinic), "retry", late, unknown)

    assert Message.objects.get(pk=late.pk).status == Status.PENDING
    assert Message.objects.get(pk=unknown.pk).status == Status.FAILED


def test_many_at_once_needs_a_provider() -> None:
    clinic = a_clinic_by_day()
    message = a_message(a_patient(clinic), due_at=soon())

    answer = signed_in(clinic, Role.VIEWER).post("/scheduled-messages/many", {"do": "cancel", "id": [str(message.id)]})

    assert answer.status_code == 403
