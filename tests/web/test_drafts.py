"""Drafts: the server keeps a member's typed values for that member, and a form is planned only once."""

import datetime as dt
import uuid
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from companion.clinics.models import Clinic, Role
from companion.schedules.models import Schedule
from companion.web.models import Draft
from tests.builders import NOW, a_clinic, a_member, a_patient
from tests.web.signed_in import signed_in, typed, words

pytestmark = pytest.mark.django_db

SAVE = "/scheduled-messages/drafts"
LIST = "/scheduled-messages"
NEW = "/scheduled-messages/new"


def _saved(client: Client, clinic: Clinic, **fields: object) -> Draft:
    client.post(SAVE, typed(a_patient(clinic), draft=str(uuid.uuid4()), **fields))
    return Draft.objects.get()


def test_a_draft_is_listed_and_opens_as_it_was_typed() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    draft = _saved(client, clinic, text="Half a sen", time="09:17", repeat="weekly", weekdays=["mo", "th"])

    shown = words(client.get(LIST))
    opened = client.get(f"{NEW}?draft={draft.id}").context

    assert f"A draft from {timezone.localtime(draft.saved_at, ZoneInfo(clinic.timezone)):%H:%M}" in shown
    assert "Half a sen" in shown
    assert opened["draft"] == draft.id
    kept = opened["typed"]
    assert (kept.text, kept.time, kept.repeat, kept.weekdays) == ("Half a sen", "09:17", "weekly", ("mo", "th"))


def test_a_draft_keeps_no_name_that_was_searched_for() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)

    draft = _saved(client, clinic, find="Ana Silva")
    client.post(NEW, typed(a_patient(clinic), draft=str(uuid.uuid4()), find="Ana Silva"))

    assert "Ana Silva" not in draft.values
    assert not any("Ana Silva" in kept.values for kept in Draft.objects.all())


def test_typing_on_changes_the_one_draft() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    draft = _saved(client, clinic, text="Half")

    answer = client.post(SAVE, typed(draft=str(draft.id), text="Half a sentence"), headers={"HX-Request": "true"})

    assert "Draft saved" in words(answer)
    assert Draft.objects.count() == 1
    assert client.get(f"{NEW}?draft={draft.id}").context["typed"].text == "Half a sentence"


def test_another_member_never_sees_a_draft_nor_changes_it() -> None:
    clinic = a_clinic()
    draft = _saved(signed_in(clinic), clinic, text="Mine alone")
    other = signed_in(clinic, Role.ADMIN)

    assert "Mine alone" not in words(other.get(LIST))
    assert "Mine alone" not in words(other.get(f"{NEW}?draft={draft.id}", follow=True))
    assert other.post(SAVE, typed(draft=str(draft.id), text="Theirs")).status_code == 404
    other.post(f"{SAVE}/{draft.id}/discard")
    draft.refresh_from_db()
    assert "Mine alone" in draft.values


def test_the_same_person_in_another_clinic_does_not_see_it() -> None:
    here, there = a_clinic(), a_clinic()
    member = a_member(here)
    there.members.create(user=member.user, role=Role.PROVIDER, created_at=member.created_at, joined_at=NOW)
    client = Client()
    client.force_login(member.user)
    draft = _saved(client, here, text="Of the first clinic")

    client.post("/clinic", {"clinic": str(there.id)})

    assert "Of the first clinic" not in words(client.get(LIST))
    assert client.get(f"{NEW}?draft={draft.id}").status_code == 302


@pytest.mark.both_databases
def test_a_draft_lies_sealed_in_the_database() -> None:
    clinic = a_clinic()
    _saved(signed_in(clinic), clinic, text="Your results are here")

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {connection.ops.quote_name('values')} FROM web_draft")
        stored = bytes(cursor.fetchone()[0])

    assert b"results" not in stored


def test_a_draft_is_gone_when_it_is_discarded() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    draft = _saved(client, clinic)

    assert "The draft is discarded." in words(client.post(f"{SAVE}/{draft.id}/discard", follow=True))
    assert not Draft.objects.exists()


def test_a_draft_is_gone_when_it_is_planned() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    draft = _saved(client, clinic)

    client.post(NEW, typed(a_patient(clinic), draft=str(draft.id)))

    assert "A draft" not in words(client.get(LIST))
    assert client.get(f"{NEW}?draft={draft.id}").status_code == 302


def test_a_save_that_comes_after_the_planning_brings_no_draft_back() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    values = typed(a_patient(clinic), draft=str(uuid.uuid4()))
    client.post(NEW, values)

    client.post(SAVE, values, headers={"HX-Request": "true"})

    assert "A draft" not in words(client.get(LIST))


def test_a_form_whose_button_is_pressed_twice_is_planned_once() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    values = typed(a_patient(clinic), draft=str(uuid.uuid4()))

    first, second = client.post(NEW, values), client.post(NEW, values)

    assert Schedule.objects.count() == 1
    assert first["Location"] == second["Location"]


def test_a_form_that_was_changed_after_it_was_planned_asks_first_and_keeps_what_was_typed() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    values = typed(a_patient(clinic), draft=str(uuid.uuid4()))
    client.post(NEW, values)

    asked = client.post(NEW, values | {"text": "Another text"})
    client.post(NEW, values | {"text": "Another text", "draft": str(asked.context["draft"])})

    assert "This form was planned before" in words(asked)
    assert asked.context["typed"].text == "Another text"
    assert Schedule.objects.count() == 2


def test_a_refused_form_stays_a_draft() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    draft = _saved(client, clinic, text="Dear {nurse}")

    client.post(NEW, typed(a_patient(clinic), draft=str(draft.id), text="Dear {nurse}"))

    assert "Dear {nurse}" in words(client.get(LIST))


def test_the_changes_to_a_series_are_a_draft_of_that_series() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    client.post(NEW, typed(a_patient(clinic), repeat="daily"))
    series = Schedule.objects.get()
    key = str(uuid.uuid4())

    client.post(SAVE, typed(draft=key, schedule=str(series.id), text="Changed"))

    assert "A draft of changes to a series" in words(client.get(LIST))
    edit = f"/scheduled-messages/series/{series.id}/edit?draft={key}"
    assert client.get(edit).context["typed"].text == "Changed"


def test_an_empty_form_leaves_no_draft() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    draft = _saved(client, clinic)

    client.post(SAVE, typed(draft=str(draft.id), text=" "))

    assert not Draft.objects.exists()


def test_a_draft_is_forgotten_after_two_weeks() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    old = _saved(client, clinic, text="Long ago")
    Draft.objects.update(saved_at=old.saved_at - dt.timedelta(days=14, seconds=1))

    assert "Long ago" not in words(client.get(LIST))
    client.post(SAVE, typed(a_patient(clinic), draft=str(uuid.uuid4())))
    assert not Draft.objects.filter(id=old.id).exists()


def test_a_viewer_keeps_no_drafts() -> None:
    assert signed_in(a_clinic(), Role.VIEWER).post(SAVE, typed(text="Mine")).status_code == 403
