"""Messages that are to be deleted from Telegram: which, in which order, and for how long."""

import datetime as dt

import pytest
from django.db import connection

from companion.clinics.models import Clinic
from companion.clinics.sealed import seal
from companion.delivery import deleting
from companion.delivery.deleting import Posted
from companion.schedules.models import Deletion
from tests.builders import NOW, a_clinic

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


def test_only_what_telegram_still_deletes_is_asked_for_and_each_message_once(clinic: Clinic) -> None:
    posted = [Posted(5_000, 1, NOW - 49 * HOUR), Posted(5_000, 2, NOW - 47 * HOUR), Posted(5_000, 2, NOW - HOUR)]

    assert deleting.ask(clinic, posted, now=NOW) == 1
    assert [(message.chat, message.number) for message in deleting.due(clinic.pk, now=NOW)] == [(5_000, 2)]
    assert Deletion.objects.get().until == NOW + HOUR


def test_deletions_that_became_too_old_are_forgotten_in_every_clinic(clinic: Clinic) -> None:
    for owner in (clinic, a_clinic()):
        deleting.ask(owner, [Posted(5_000, 1, NOW), Posted(5_000, 2, NOW + HOUR)], now=NOW)

    deleting.forget_old(now=NOW + 48 * HOUR)

    assert [deletion.telegram_message_id for deletion in Deletion.objects.all()] == [2, 2]


def test_a_deletion_that_is_put_off_waits_and_a_finished_deletion_is_removed(clinic: Clinic) -> None:
    deleting.ask(clinic, [Posted(5_000, 1, NOW), Posted(5_000, 2, NOW)], now=NOW)
    first, second = deleting.due(clinic.pk, now=NOW)

    deleting.again(first.id, at=NOW + HOUR)
    deleting.done(second.id)

    assert deleting.due(clinic.pk, now=NOW) == []
    assert [message.id for message in deleting.due(clinic.pk, now=NOW + HOUR)] == [first.id]


def test_a_chat_that_can_not_be_opened_holds_up_no_other(clinic: Clinic) -> None:
    deleting.ask(clinic, [Posted(5_000, 1, NOW), Posted(6_000, 2, NOW)], now=NOW)
    damaged = Deletion.objects.get(telegram_message_id=1)
    other = bytes(seal("5000", "another column"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE schedules_deletion SET chat = %s WHERE telegram_message_id = 1", [other])

    assert [message.chat for message in deleting.due(clinic.pk, now=NOW)] == [6_000]
    assert [message.chat for message in deleting.due(clinic.pk, now=NOW + HOUR)] == [6_000]
    deleting.forget_old(now=NOW + 48 * HOUR)
    assert not Deletion.objects.filter(pk=damaged.pk).exists()


def test_only_clinics_with_something_to_delete_now_are_looked_at(clinic: Clinic) -> None:
    a_clinic()
    deleting.ask(clinic, [Posted(5_000, 1, NOW), Posted(5_000, 2, NOW)], now=NOW)

    assert deleting.clinics_with_due(now=NOW - HOUR) == set()
    assert deleting.clinics_with_due(now=NOW) == {clinic.pk}


def test_another_clinics_messages_are_left_alone(clinic: Clinic) -> None:
    deleting.ask(a_clinic(), [Posted(5_000, 1, NOW)], now=NOW)

    assert deleting.due(clinic.pk, now=NOW) == []
