"""The migration that takes patients' answers out of the buttons that showed them in the clear."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from companion.delivery.payload import buttons_of
from companion.schedules.models import Follow, Message
from tests.builders import a_clinic, a_message, a_patient

pytestmark = pytest.mark.django_db
OURS = [[{"text": "I agree", "callback_data": "consent:yes:"}]]


def test_shown_answers_go_and_the_questions_of_our_own_stay() -> None:
    patient = a_patient(a_clinic())
    shown = [[{"text": "✓ Taken", "callback_data": "answer:"}]]
    for question in [a_message(patient) for _ in range(5)]:
        a_message(patient, follows=question, follow_kind=Follow.SHOWN, text="✓ Taken", buttons=shown)
    ours = a_message(patient, buttons=OURS)
    migration = import_module("companion.schedules.migrations.0019_no_answers_in_the_clear")

    for _ in range(2):  # as after a kill
        migration.clear(apps, connection.schema_editor(), at_once=2)

    answers = Message.objects.filter(follow_kind=Follow.SHOWN)
    assert set(answers.values_list("buttons", flat=True)) == {None}
    assert {str((buttons_of(answer) or [])[0][0]["text"]) for answer in answers} == {"✓ Taken"}
    assert Message.objects.get(pk=ours.pk).buttons == OURS
