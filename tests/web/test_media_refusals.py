"""Files that a member or a program can't open, the reason, and the end of their days."""

import datetime as dt

import pytest
from django.test import Client
from pytest_django import Settings

from companion.clinics import bots
from companion.clinics.models import Role
from companion.listener import media
from companion.listener.models import Media, MediaPart
from companion.patients.models import Patient
from companion.sandbox import phone as phones
from companion.sandbox.models import FileKind, Phone, SandboxBot, SandboxFile, State
from companion.service.slots import DOWNLOADS
from tests.api.calls import a_program
from tests.builders import NOW, a_clinic
from tests.web.practice import Practice, body_of, opened, practice
from tests.web.signed_in import nobody, signed_in

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["practice"]


def test_another_clinic_and_a_stranger_see_nothing(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)
    elsewhere = signed_in(a_clinic())

    assert elsewhere.get(f"/media/{file.id}").status_code == 404
    assert elsewhere.get(f"/media/{file.id}/opened").status_code == 404
    assert signed_in(practice.clinic).get(f"/media/{nobody()}").status_code == 404
    assert Client().get(f"/media/{file.id}").status_code == 302
    assert a_program(a_clinic(), Role.ADMIN).call("GET", f"/media/{file.id}").status == 404
    assert Client().get(f"/api/scheduler/media/{file.id}").status_code == 401
    assert not MediaPart.objects.exists()


def test_a_file_that_is_too_large_is_said_so(practice: Practice) -> None:
    file = practice.sends(FileKind.DOCUMENT, b"a" * (20 * 2**20 + 1), "scan.tiff")

    assert "larger than 20 MB" in practice.page()
    assert signed_in(practice.clinic).get(f"/media/{file.id}").status_code == 409


def test_a_file_that_turns_out_too_large_is_not_fetched_whole(practice: Practice) -> None:
    file = practice.sends(FileKind.DOCUMENT, b"a" * (20 * 2**20 + 1), "scan.tiff")
    Media.objects.update(size=None)
    SandboxFile.objects.update(size=5)

    assert "larger than 20 MB" in opened(practice.clinic, file)
    assert not MediaPart.objects.exists()


def test_a_file_that_telegram_has_no_more_is_said_so(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)
    SandboxFile.objects.update(file_id="forgotten")

    assert "Ask the patient to send it again" in opened(practice.clinic, file)


def test_while_telegram_is_away_the_file_is_still_offered(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)
    Phone.objects.update(state=State.UNREACHABLE)

    part = opened(practice.clinic, file)

    assert "Try again in a minute" in part
    assert f'hx-get="/media/{file.id}/opened"' in part
    Phone.objects.update(state=State.NORMAL)
    assert "<img" in opened(practice.clinic, file)


def test_a_clinic_that_fetches_many_files_at_once_waits_for_its_own(practice: Practice) -> None:
    file, clinic = practice.sends(FileKind.PHOTO), practice.clinic.id
    for _ in range(4):
        DOWNLOADS.take(clinic)
    busy = opened(practice.clinic, file)
    for _ in range(4):
        DOWNLOADS.give_back(clinic)

    assert "Other files of this clinic are being fetched" in busy
    assert "<img" in opened(practice.clinic, file)


def test_another_bot_can_t_fetch_files_of_the_earlier_bot(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)
    kept = practice.sends(FileKind.VOICE)
    opened(practice.clinic, kept)
    bots.connect(practice.clinic, phones.make_bot("Birch", "birch_bot"), "birch_bot", sandbox=True, now=NOW)

    assert "came to another bot" in opened(practice.clinic, file)
    assert "<audio" in opened(practice.clinic, kept)


def test_a_refused_token_is_said_so(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)
    SandboxBot.objects.update(token_hash="x")

    assert "Telegram refuses the bot&#x27;s token" in opened(practice.clinic, file)


def test_a_file_is_deleted_when_its_days_are_over(practice: Practice, settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"media_days": 30})
    old = practice.sends(FileKind.PHOTO, caption="my arm")
    opened(practice.clinic, old)
    Media.objects.update(came_at=NOW - dt.timedelta(days=31))
    young = practice.sends(FileKind.VOICE)
    opened(practice.clinic, young)
    Media.objects.filter(pk=young.pk).update(came_at=NOW - dt.timedelta(days=29))

    assert media.drop_old(now=NOW) == 1
    assert media.drop_old(now=NOW) == 0

    assert [part.media for part in MediaPart.objects.all()] == [young]
    page = practice.page()
    assert "[photo] my arm" in page
    assert "kept for 30 days" in page
    assert signed_in(practice.clinic).get(f"/media/{old.id}").status_code == 409
    assert body_of(signed_in(practice.clinic), young)[0] == 200


def test_a_stranger_s_file_can_be_opened_and_is_deleted_as_any_other(practice: Practice) -> None:
    Patient.objects.update(telegram_id=None)
    file = practice.sends(FileKind.PHOTO)

    assert f"/media/{file.id}/opened" in practice.page()
    assert f'<img src="/media/{file.id}"' in opened(practice.clinic, file)

    Media.objects.update(came_at=NOW - dt.timedelta(days=10_000))
    assert media.drop_old(now=NOW) == 1
    assert not MediaPart.objects.exists()


def test_the_api_says_why_there_is_no_file(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)
    program = a_program(practice.clinic, Role.VIEWER)
    Phone.objects.update(state=State.UNREACHABLE)
    away = program.call("GET", f"/media/{file.id}")
    Phone.objects.update(state=State.NORMAL)
    SandboxFile.objects.update(file_id="forgotten")
    gone = program.call("GET", f"/media/{file.id}")

    assert (away.status, away.headers["Retry-After"]) == (503, "30")
    assert (gone.status, gone.media_type) == (409, "application/problem+json")
