"""The first clinic, finding one by its slug, and changing what holds for all its patients."""

import datetime as dt

import pytest

from companion.clinics import clinics
from companion.clinics.access import NotAllowed
from companion.clinics.models import Clinic, Mark, Role
from companion.clinics.refusals import Refused, Unknown
from tests.builders import NOW, a_caller, a_clinic

pytestmark = pytest.mark.django_db


def test_the_first_clinic_is_made_once() -> None:
    made = clinics.first_clinic(now=NOW)

    assert clinics.first_clinic(now=NOW) == made
    assert (made.slug, made.name, Clinic.objects.count()) == ("clinic", "My clinic", 1)


def test_the_only_clinic_needs_no_naming() -> None:
    clinic = a_clinic(slug="linden")

    assert clinics.the_clinic(None) == clinics.the_clinic("linden") == clinic


def test_of_several_clinics_one_must_be_named() -> None:
    a_clinic(slug="linden")
    a_clinic(slug="birch")

    with pytest.raises(Unknown, match="birch, linden"):
        clinics.the_clinic(None)
    with pytest.raises(Unknown, match="birch, linden"):
        clinics.the_clinic("oak")


@pytest.mark.parametrize(
    ("values", "marked"),
    [
        ({"timezone": "Asia/Tokyo"}, True),
        ({"quiet_from": "22:30", "quiet_until": "07:00"}, True),
        ({"quiet_from": dt.time(21)}, False),
        ({"name": "Birch Clinic", "consent_required": True}, False),
    ],
)
def test_a_change_that_moves_messages_leaves_a_mark(values: dict[str, object], marked: bool) -> None:
    clinic = a_clinic()

    changed = clinics.change_clinic(a_caller(clinic, Role.ADMIN), values, now=NOW)

    assert all(getattr(changed, field) == value for field, value in values.items() if not field.startswith("quiet"))
    assert Mark.objects.filter(kind="clinic", subject_id=clinic.id).exists() is marked


def test_every_wrong_field_is_named() -> None:
    values = {"name": " ", "timezone": "Berlin", "quiet_from": "25:00", "consent_required": "yes", "slug": "x"}

    with pytest.raises(Refused) as refusal:
        clinics.change_clinic(a_caller(a_clinic(), Role.ADMIN), values, now=NOW)

    assert {problem.field for problem in refusal.value.problems} == set(values)


def test_only_an_admin_changes_the_clinic() -> None:
    with pytest.raises(NotAllowed):
        clinics.change_clinic(a_caller(a_clinic(), Role.PROVIDER), {"name": "X"}, now=NOW)
