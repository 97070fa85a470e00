"""A patient who is erased at the very moment in which somebody else works with the patient."""

import datetime as dt
from collections.abc import Callable
from threading import Thread

import pytest
from django.db import connection, connections, transaction
from django.utils.timezone import now as present

from companion.clinics.models import Clinic, Role
from companion.rights.erasing import erase
from companion.schedules.models import Message, Schedule, Status
from tests.api.calls import Answer, a_daily_schedule, a_program
from tests.builders import a_bot, a_caller, a_message, a_patient
from tests.delivery.rounds import begun
from tests.support.services import DEADLINE, eventually
from tests.web.signed_in import signed_in, typed, words

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite writers take turns by the whole file"),
]


def while_erasing(clinic: Clinic, act: Callable[[], None]) -> None:
    """Run the act in another thread so that it meets the erasure of the only patient, before its commit."""
    patient = clinic.patients.get()
    other = Thread(target=_closing_connections, args=(act,))
    with transaction.atomic():
        erase(a_caller(clinic, Role.ADMIN), patient, patient.name, now=present())
        other.start()
        eventually(lambda: not other.is_alive() or _another_waits(), "the other's wait or end")
    other.join(DEADLINE)


def _another_waits() -> bool:
    """Return whether another transaction waits for the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE transactionid = pg_current_xact_id()::xid AND NOT granted")
        return cursor.fetchone() is not None


def _closing_connections(act: Callable[[], None]) -> None:
    try:
        act()
    finally:
        connections.close_all()


def test_a_message_for_a_patient_who_is_being_erased_is_refused(clinic: Clinic) -> None:
    ana, program = a_patient(clinic), a_program(clinic)
    answers: list[Answer] = []

    body = {"patient": str(ana.id), "text": "Hello"}
    while_erasing(clinic, lambda: answers.append(program.post("/messages", body)))

    assert answers[0].status == 409
    assert not Message.objects.exists()


def test_a_schedule_for_a_patient_who_is_being_erased_is_refused(clinic: Clinic) -> None:
    ana, program = a_patient(clinic), a_program(clinic)
    answers: list[Answer] = []

    while_erasing(clinic, lambda: answers.append(program.post("/schedules", a_daily_schedule(ana))))

    assert answers[0].status == 409
    assert not Schedule.objects.exists()


def test_a_form_for_a_patient_who_is_being_erased_says_so(clinic: Clinic) -> None:
    ana, client = a_patient(clinic), signed_in(clinic)
    said: list[str] = []

    def plan() -> None:
        said.append(words(client.post("/scheduled-messages/new", typed(ana), follow=True)))

    while_erasing(clinic, plan)

    assert "was removed at this very moment" in said[0]
    assert not Schedule.objects.exists()


def test_a_pause_of_a_patient_who_is_being_erased_says_so(clinic: Clinic) -> None:
    ana, client = a_patient(clinic), signed_in(clinic)
    body = {"paused_until": f"{present().date() + dt.timedelta(days=9)}", "paused_reason": "in hospital"}
    said: list[str] = []

    def pause() -> None:
        said.append(words(client.post(f"/patients/{ana.id}/pause", body, follow=True)))

    while_erasing(clinic, pause)

    assert "was removed at this very moment" in said[0]


def test_a_second_erasure_at_the_same_moment_finds_nobody(clinic: Clinic) -> None:
    ana, program = a_patient(clinic), a_program(clinic, Role.ADMIN)
    answers: list[Answer] = []

    body = {"name": "Ana Silva"}
    while_erasing(clinic, lambda: answers.append(program.post(f"/patients/{ana.id}/erase", body)))

    assert answers[0].status == 404


def test_the_dispatcher_begins_no_message_of_a_patient_who_is_being_erased(clinic: Clinic) -> None:
    bot, ana = a_bot(clinic), a_patient(clinic)
    message = a_message(ana, due_at=present(), late_at=present().replace(year=2090))
    found: list[int] = []

    while_erasing(clinic, lambda: found.append(len(begun(bot, now=present()).begun)))

    message.refresh_from_db()
    assert (found, message.status) == ([0], Status.CANCELLED)
