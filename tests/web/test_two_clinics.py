"""A member of two clinics with a tab of each: a form of one tab never reaches the other tab's clinic."""

import pytest
from django.test import Client

from companion.clinics import members
from companion.clinics.models import ApiKey, Clinic, Member, Role
from companion.patients.models import Patient
from companion.planning import archiving
from companion.schedules.models import Schedule
from companion.web.models import Draft
from tests.builders import NOW, a_caller, a_clinic, a_member, a_patient
from tests.web.forms import opened, sent
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def first() -> Clinic:
    return a_clinic(name="First Clinic")


@pytest.fixture
def second() -> Clinic:
    return a_clinic(name="Second Clinic")


@pytest.fixture
def tabs(first: Clinic, second: Clinic) -> Client:
    """The browser of an admin of both clinics, who looks at the first clinic."""
    member = a_member(first, Role.ADMIN)
    Member.objects.create(clinic=second, user=member.user, role=Role.ADMIN, created_at=NOW, joined_at=NOW)
    client = Client()
    client.force_login(member.user)
    return client


def choose(tabs: Client, clinic: Clinic) -> None:
    assert tabs.post("/clinic", {"clinic": str(clinic.id)}).status_code == 302


def test_a_form_opened_before_the_clinic_was_switched_changes_nothing(tabs: Client, second: Clinic) -> None:
    tab = opened(tabs, "/patients/new", "external_id")
    choose(tabs, second)

    answer = tabs.post("/patients/new", sent(tab, external_id="P-1", name="Ana Silva"))

    assert answer.status_code == 409
    assert "You opened this page for another clinic" in words(answer)
    assert not Patient.objects.exists()


def test_the_form_is_taken_once_its_clinic_is_chosen_again(tabs: Client, first: Clinic, second: Clinic) -> None:
    tab = opened(tabs, "/patients/new", "external_id")
    choose(tabs, second)
    choose(tabs, first)

    tabs.post("/patients/new", sent(tab, external_id="P-1", name="Ana Silva"))

    assert Patient.objects.get().clinic == first


def test_settings_of_one_clinic_are_not_saved_in_the_other(tabs: Client, second: Clinic) -> None:
    tab = opened(tabs, "/settings", "name", "/settings/clinic")
    choose(tabs, second)

    answer = tabs.post("/settings/clinic", sent(tab, name="First Clinic, renamed"))

    second.refresh_from_db()
    assert answer.status_code == 409
    assert second.name == "Second Clinic"


def test_a_key_and_a_plan_stay_in_their_clinic(tabs: Client, first: Clinic, second: Clinic) -> None:
    key = opened(tabs, "/settings", "name", "/settings/keys")
    plan = opened(tabs, "/scheduled-messages/new", "text")
    theirs = a_patient(second)
    choose(tabs, second)

    tabs.post("/settings/keys", sent(key, name="Ward system"))
    tabs.post("/scheduled-messages/new", sent(plan, text="Come at nine.", to="patients", patients=[str(theirs.id)]))

    assert not ApiKey.objects.exists()
    assert not Schedule.objects.exists()


def test_a_draft_that_a_forgotten_tab_keeps_is_not_the_other_clinics(tabs: Client, second: Clinic) -> None:
    tab = opened(tabs, "/scheduled-messages/new", "text")
    choose(tabs, second)

    answer = tabs.post("/scheduled-messages/drafts", sent(tab, text="Come at nine."), headers={"HX-Request": "true"})

    assert answer.status_code == 409
    assert not Draft.objects.exists()


def test_a_form_of_an_archived_clinic_does_not_fall_to_the_next_clinic(
    tabs: Client, first: Clinic, second: Clinic
) -> None:
    tab = opened(tabs, "/settings", "name", "/settings/clinic")
    archiving.archive(first, now=NOW)

    answer = tabs.post("/settings/clinic", sent(tab, name="First Clinic, renamed"))

    second.refresh_from_db()
    assert answer.status_code == 409
    assert second.name == "Second Clinic"


def test_any_tab_switches_the_clinic_and_signs_out(tabs: Client, first: Clinic, second: Clinic) -> None:
    tab = opened(tabs, "/patients/new", "external_id")
    choose(tabs, second)

    switched = tabs.post("/clinic", {"clinic": str(first.id), "of_clinic": tab["of_clinic"][0]})

    assert switched.status_code == 302
    assert tabs.get("/settings").context["clinic"] == first


def test_a_member_removed_from_the_open_clinic_goes_on_in_the_other_clinic_alone(
    tabs: Client, first: Clinic, second: Clinic
) -> None:
    patient = a_patient(first, external_id="P-1", name="Ana Silva")
    edit = f"/patients/{patient.id}/edit"
    choose(tabs, first)
    tab = opened(tabs, edit, "external_id")
    a_member(first, Role.ADMIN)
    leaving = Member.objects.get(clinic=first, user_id=tabs.session["_auth_user_id"])
    members.remove_member(a_caller(first, Role.ADMIN), leaving, now=NOW)

    sent_late = tabs.post(edit, sent(tab, name="Otto"))
    back = tabs.post("/clinic", {"clinic": str(first.id)})
    page = tabs.get("/patients")

    patient.refresh_from_db()
    assert (sent_late.status_code, back.status_code, patient.name) == (409, 404, "Ana Silva")
    assert page.context["clinic"] == second
    assert "First Clinic" not in words(page)
    assert tabs.get(f"/patients/{patient.id}").status_code == 404
    assert tabs.get(f"/api/scheduler/patients/{patient.id}").status_code == 404


@pytest.mark.parametrize("name", ["First Clinic", "first  clinic", "Ｆirst Clinic"])
def test_two_clinics_whose_names_look_alike_are_told_apart_in_the_bar(
    tabs: Client, first: Clinic, second: Clinic, name: str
) -> None:
    apart = words(tabs.get("/settings"))
    Clinic.objects.filter(pk=second.pk).update(name=name)

    alike = words(tabs.get("/settings"))

    assert first.slug not in apart
    assert alike.count(f"First Clinic ({first.slug})") == 2
    assert alike.count(f"{' '.join(name.split())} ({second.slug})") == 1
