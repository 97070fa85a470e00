"""Reasons why messages fail: each code has its words, and a new code changes no table."""

import pytest
from django.db.migrations.loader import MigrationLoader

from companion.patients.reach import BY_CODE, Why, trouble_from
from companion.schedules.reasons import Reason
from companion.telegram import outcomes


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_has_words_for_lists_and_a_sentence(reason: Reason) -> None:
    assert 1 <= len(reason.short.split()) <= 4
    assert reason.sentence.endswith(".")


@pytest.mark.parametrize("code", [outcomes.BLOCKED, outcomes.DEACTIVATED, outcomes.CHAT_NOT_FOUND])
def test_a_refusal_of_telegram_s_marks_the_patient_and_fails_the_message_in_the_same_words(code: str) -> None:
    assert trouble_from(code) == code
    assert BY_CODE[code].what in Reason(code).sentence
    assert BY_CODE[code].short == Reason(code).short


@pytest.mark.parametrize("code", [outcomes.REJECTED, Why.NO_TELEGRAM_ID.value, Reason.TOO_LATE.value])
def test_a_reason_that_says_nothing_of_the_chat_marks_nobody(code: str) -> None:
    assert trouble_from(code) is None


def test_a_failed_message_speaks_of_the_moment_at_which_it_was_due() -> None:
    assert Reason.NO_TELEGRAM_ID.sentence.startswith("The patient had no Telegram ID when this was due.")


def test_a_new_reason_needs_no_migration() -> None:
    tables = MigrationLoader(None).project_state().apps

    for app, model, column in [("schedules", "message", "reason"), ("patients", "patient", "trouble")]:
        field = tables.get_model(app, model)._meta.get_field(column)
        assert not getattr(field, "choices", None)
        assert all(
            column not in str(constraint) or "blocked" not in str(constraint)
            for constraint in field.model._meta.constraints
        )
