"""Files that patients sent, fetched from the Sandbox over real HTTP when a member or a program opens them."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from companion.clinics.models import Role
from companion.listener import handling
from companion.listener.models import MediaPart, Reply
from companion.sandbox import phone as phones
from companion.sandbox.models import FileKind, SandboxFile, SandboxUpdate
from companion.telegram.incoming import update_of
from tests.api.calls import a_program
from tests.builders import NOW
from tests.web.practice import PNG, Practice, body_of, opened, practice
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["practice"]


def test_a_photo_is_offered_and_shown_once_it_is_opened(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO, caption="my arm")

    page = practice.page()
    assert "[photo] my arm" in page
    assert f'hx-get="/media/{file.id}/opened"' in page
    assert "<img" not in page
    assert not MediaPart.objects.exists()

    assert f'<img src="/media/{file.id}"' in opened(practice.clinic, file)
    assert f'<img src="/media/{file.id}"' in practice.page()
    status, body = body_of(signed_in(practice.clinic, Role.VIEWER), file)
    assert (status, body) == (200, bytes(SandboxFile.objects.get().content))


def test_a_voice_note_is_played_on_the_page(practice: Practice) -> None:
    file = practice.sends(FileKind.VOICE)

    assert Reply.objects.get().text == "[voice] 0:02"
    assert f'<audio controls preload="none" src="/media/{file.id}">' in opened(practice.clinic, file)


def test_the_patient_s_page_shows_it_too(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)

    page = signed_in(practice.clinic).get(f"/patients/{practice.ana.id}").content.decode()

    assert f"/media/{file.id}/opened" in page


def test_the_api_s_conversation_leads_to_the_file(practice: Practice) -> None:
    practice.sends(FileKind.PHOTO, caption="my arm")
    program = a_program(practice.clinic, Role.VIEWER)

    before = program.call("GET", f"/patients/{practice.ana.id}/conversation").json["items"][-1]["media"]
    answer = Client().get(before["link"], headers={"Authorization": f"Bearer {program.key}"})
    after = program.call("GET", f"/patients/{practice.ana.id}/conversation").json["items"][-1]["media"]

    assert (before["kind"], before["type"], before["unavailable"]) == ("photo", None, None)
    assert answer.getvalue() == bytes(SandboxFile.objects.get().content)
    assert after["type"] == "image/jpeg"


def test_no_token_and_no_name_reaches_the_log(practice: Practice, caplog: pytest.LogCaptureFixture) -> None:
    token = practice.bot.token.partition(":")[2]
    file = practice.sends(FileKind.DOCUMENT, PNG, "hiv-test.png")
    opened(practice.clinic, file)
    SandboxFile.objects.update(file_id="forgotten")
    opened(practice.clinic, practice.sends(FileKind.PHOTO))

    assert token not in caplog.text
    assert "hiv-test" not in caplog.text


def test_a_place_has_a_link_to_a_map(practice: Practice) -> None:
    phones.type_text(practice.sandbox, practice.phone, "here")
    update = SandboxUpdate.objects.latest("update_id").payload
    del update["message"]["text"]
    update["message"]["location"] = {"latitude": 52.52, "longitude": -13.405}
    incoming = update_of(update)
    assert incoming
    handling.handle(practice.bot.id, incoming, offset=0, now=NOW)
    link = "https://www.openstreetmap.org/?mlat=52.520000&mlon=-13.405000#map=17/52.520000/-13.405000"

    page = practice.page().replace("&amp;", "&")
    assert re.search(rf'<a [^>]*href="{re.escape(link)}"[^>]*rel="noopener noreferrer"', page)
    program = a_program(practice.clinic, Role.VIEWER)
    assert program.call("GET", f"/patients/{practice.ana.id}/conversation").json["items"][-1]["map"] == link


def test_a_phone_of_the_practice_page_sends_files(practice: Practice) -> None:
    client = signed_in(practice.clinic)
    act = f"/sandbox/{practice.phone.telegram_id}/act"
    client.post(act, {"do": "photo", "caption": "my arm"})
    client.post(act, {"do": "voice"})
    client.post(act, {"do": "document", "file": SimpleUploadedFile("letter.pdf", b"%PDF-1.7")})
    nothing = client.post(act, {"do": "document"}, follow=True)

    sent = [(file.kind, file.name) for file in SandboxFile.objects.order_by("pk")]
    assert sent == [("photo", ""), ("voice", ""), ("document", "letter.pdf")]
    assert "Choose a file first." in words(nothing)
    assert "Photo my arm" in words(nothing)
