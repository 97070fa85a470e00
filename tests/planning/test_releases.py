"""A new release of the time zones or the holidays replans; the same release again does nothing."""

import pytest

from companion.clinics.models import Mark, MarkKind
from companion.planning.releases import mark_what_they_move
from tests.builders import NOW, a_clinic

pytestmark = pytest.mark.django_db


def test_a_new_release_leaves_a_mark_for_each_clinic() -> None:
    clinics = {a_clinic().id, a_clinic().id}
    mark_what_they_move(now=NOW, present="tzdata 2026.6, holidays 0.109")
    Mark.objects.all().delete()

    mark_what_they_move(now=NOW, present="tzdata 2026.7, holidays 0.109")

    assert set(Mark.objects.values_list("kind", "subject_id")) == {(MarkKind.CLINIC, clinic) for clinic in clinics}


def test_the_same_release_again_leaves_none() -> None:
    a_clinic()
    mark_what_they_move(now=NOW)
    Mark.objects.all().delete()

    assert (mark_what_they_move(now=NOW), Mark.objects.count()) == (0, 0)
