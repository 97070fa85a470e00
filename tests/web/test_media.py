"""Files that patients sent, fetched from the Sandbox over real HTTP when a member or a program opens them."""

import datetime as dt
import re
from dataclasses import dataclass
from functools import partial

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from companion.clinics import bots
from companion.clinics.models import Bot, Clinic, Role
from companion.listener import handling, media
from companion.listener.models import Conversation, Media, MediaPart, Reply
from companion.patients.models import Patient
from companion.sandbox import phone as phones
from companion.sandbox.models import FileKind, Phone, SandboxBot, SandboxFile, SandboxUpdate, State
from companion.telegram.incoming import update_of
from tests.api.calls import a_program
from tests.builders import NOW, a_clinic, a_patient
from tests.support.threads import at_once
from tests.web.signed_in import nobody, signed_in, words

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\n" + b"a" * 40


@dataclass(frozen=True)
class Practice:
    """A clinic with a bot of the Sandbox, and Ana with her phone."""

    clinic: Clinic
    bot: Bot
    sandbox: SandboxBot
    ana: Patient
    phone: Phone

    def sends(self, kind: FileKind, content: bytes = b"", name: str = "", caption: str = "") -> Media:
        """Send a file from Ana's phone, and let the listener read it."""
        phones.send_file(self.sandbox, self.phone, kind, content, name, caption)
        self.bot.refresh_from_db()
        incoming = update_of(SandboxUpdate.objects.latest("update_id").payload)
        assert incoming
        handling.handle(self.bot.id, incoming, offset=self.bot.next_update_id, now=NOW)
        return Media.objects.latest("id")

    def page(self) -> str:
        """Open the conversation in a provider's browser."""
        answer = signed_in(self.clinic).get(f"/inbox/{Conversation.objects.get().id}")
        return answer.content.decode()


@pytest.fixture
def practice(live_server: LiveServer, settings: Settings) -> Practice:
    settings.SANDBOX_ON = True
    settings.COMPANION = settings.COMPANION.model_copy(update={"telegram_api_url": f"{live_server.url}/sandbox"})
    clinic = a_clinic()
    token = phones.make_bot("Linden", "linden_bot")
    bot = bots.connect(clinic, token, "linden_bot", sandbox=True, now=NOW)
    sandbox = phones.bot_of(token)
    assert sandbox
    phone = phones.new_phone(sandbox, "Ana")
    phones.press_start(sandbox, phone)
    phone.refresh_from_db()
    return Practice(clinic, bot, sandbox, a_patient(clinic, telegram_id=phone.telegram_id), phone)


def opened(clinic: Clinic, file: Media, role: Role = Role.VIEWER) -> str:
    """Press the file's button, and return that part of the conversation."""
    answer = signed_in(clinic, role).get(f"/media/{file.id}/opened", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def body_of(client: Client, file: Media, **headers: str) -> tuple[int, bytes]:
    answer = client.get(f"/media/{file.id}", headers=headers)
    return answer.status_code, answer.getvalue()


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


def test_a_kept_file_is_not_fetched_again(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)
    opened(practice.clinic, file)
    SandboxFile.objects.update(content=b"another one")

    assert body_of(signed_in(practice.clinic), file)[1][:3] == b"\xff\xd8\xff"


def test_two_who_open_a_file_at_once_see_the_same(practice: Practice) -> None:
    content = bytes(range(256)) * 9000
    file = practice.sends(FileKind.DOCUMENT, content, "scan.bin")
    clients = [signed_in(practice.clinic) for _ in range(2)]

    bodies = at_once([partial(body_of, client, file) for client in clients])

    assert bodies == [(200, content)] * 2
    assert MediaPart.objects.count() == 3


def test_a_kept_file_lies_sealed(practice: Practice) -> None:
    secret = PNG + b"the patient's arm"
    file = practice.sends(FileKind.DOCUMENT, secret, "arm of ana.png")
    opened(practice.clinic, file)

    stored = b"".join(bytes(part.content) for part in MediaPart.objects.all())
    assert len(stored) > len(secret)
    assert b"patient" not in stored
    assert body_of(signed_in(practice.clinic), file) == (200, secret)


@pytest.mark.parametrize("size", [1, media.PART_BYTES - 1, media.PART_BYTES, media.PART_BYTES * 2 + 17])
def test_a_file_of_any_size_comes_back_as_it_was(practice: Practice, size: int) -> None:
    content = bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
    file = practice.sends(FileKind.DOCUMENT, content[:size], "data.bin")

    assert body_of(signed_in(practice.clinic), file) == (200, content[:size])


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-1", 206, slice(0, 2)),
        ("bytes=1048570-1048585", 206, slice(1_048_570, 1_048_586)),
        ("bytes=1048576-", 206, slice(1_048_576, None)),
        ("bytes=-10", 206, slice(-10, None)),
        ("bytes=0-99999999", 200, slice(None)),
        ("bytes=5-2", 200, slice(None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("pages=1-2", 200, slice(None)),
        ("bytes=99999999-", 416, slice(0, 0)),
        ("bytes=-0", 416, slice(0, 0)),
    ],
)
def test_a_player_may_ask_for_a_part(practice: Practice, asked: str, status: int, part: slice) -> None:
    content = bytes(range(256)) * 5000
    file = practice.sends(FileKind.DOCUMENT, content, "long.bin")

    assert body_of(signed_in(practice.clinic), file, Range=asked) == (status, content[part])


@pytest.mark.parametrize(
    ("begin", "mime", "how"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg", "inline"),
        (PNG, "image/png", "inline"),
        (b"GIF89a", "image/gif", "inline"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp", "inline"),
        (b"OggS\0\2", "audio/ogg", "inline"),
        (b"ID3\x04\0", "audio/mpeg", "inline"),
        (b"\xff\xfb\x90\x64", "audio/mpeg", "inline"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4", "inline"),
        (b"\0\0\0\x20ftypisom", "video/mp4", "inline"),
        (b"%PDF-1.7", "application/pdf", "attachment"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "application/octet-stream", "attachment"),
        (b"<!doctype html><script>alert(1)</script>", "application/octet-stream", "attachment"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "application/octet-stream", "attachment"),
        (b"\0\0\0\x20ftypheic", "application/octet-stream", "attachment"),
        (b"\xff\xf1\x50\x80", "application/octet-stream", "attachment"),
        (b"\xff\xff\xff\xff", "application/octet-stream", "attachment"),
        (b"MZ\x90", "application/octet-stream", "attachment"),
        (b"\0", "application/octet-stream", "attachment"),
    ],
)
def test_the_type_is_what_the_bytes_show_whatever_the_name_says(
    practice: Practice, begin: bytes, mime: str, how: str
) -> None:
    file = practice.sends(FileKind.DOCUMENT, begin + b" " * 40, "photo.html")

    answer = signed_in(practice.clinic).get(f"/media/{file.id}")

    assert answer["Content-Type"] == mime
    assert answer["Content-Disposition"].partition(";")[0] == how
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("arm.png", 'filename="arm.png"'),
        ("arm.exe", 'filename="arm.exe.png"'),
        ("", 'filename="document-2026-11-26.png"'),
        ("../../etc/passwd", 'filename="etcpasswd.png"'),
        ("a\u202egnp.exe", 'filename="agnp.exe.png"'),
        ('a"b\r\nX: 1.png', 'filename="a\\"bX: 1.png"'),
        ("Überweisung.png", "filename*=utf-8''%C3%9Cberweisung.png"),
    ],
)
def test_a_file_is_saved_by_a_name_that_hides_nothing(practice: Practice, name: str, saved: str) -> None:
    file = practice.sends(FileKind.DOCUMENT, PNG, name)
    Media.objects.update(came_at=dt.datetime(2026, 11, 26, tzinfo=dt.UTC))

    assert saved in signed_in(practice.clinic).get(f"/media/{file.id}")["Content-Disposition"]


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


def test_another_bot_can_t_fetch_what_came_to_the_one_before(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)
    kept = practice.sends(FileKind.VOICE)
    opened(practice.clinic, kept)
    bots.connect(practice.clinic, phones.make_bot("Birch", "birch_bot"), "birch_bot", sandbox=True, now=NOW)

    assert "came to another bot" in opened(practice.clinic, file)
    assert "<audio" in opened(practice.clinic, kept)


def test_a_stranger_s_file_can_be_opened_and_is_deleted_as_any_other(practice: Practice) -> None:
    Patient.objects.update(telegram_id=None)
    file = practice.sends(FileKind.PHOTO)

    assert f"/media/{file.id}/opened" in practice.page()
    assert f'<img src="/media/{file.id}"' in opened(practice.clinic, file)

    Media.objects.update(came_at=NOW - dt.timedelta(days=10_000))
    assert media.drop_old(now=NOW) == 1
    assert not MediaPart.objects.exists()


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


def test_the_api_s_conversation_leads_to_the_file(practice: Practice) -> None:
    practice.sends(FileKind.PHOTO, caption="my arm")
    program = a_program(practice.clinic, Role.VIEWER)

    before = program.call("GET", f"/patients/{practice.ana.id}/conversation").json["items"][-1]["media"]
    answer = Client().get(before["link"], headers={"Authorization": f"Bearer {program.key}"})
    after = program.call("GET", f"/patients/{practice.ana.id}/conversation").json["items"][-1]["media"]

    assert (before["kind"], before["type"], before["unavailable"]) == ("photo", None, None)
    assert answer.getvalue() == bytes(SandboxFile.objects.get().content)
    assert after["type"] == "image/jpeg"


def test_a_program_may_ask_for_the_head_or_a_part_of_a_file_alone(practice: Practice) -> None:
    file = practice.sends(FileKind.DOCUMENT, b"0123456789", "data.bin")
    key = {"Authorization": f"Bearer {a_program(practice.clinic, Role.VIEWER).key}"}
    client, path = Client(headers=key), f"/api/scheduler/media/{file.id}"

    head, part = client.head(path), client.get(path, headers={"Range": "bytes=2-4"})

    assert (head.status_code, head["Content-Length"], head.getvalue()) == (200, "10", b"")
    assert (part.status_code, part.getvalue()) == (206, b"234")
    assert client.get(f"{path}?size=1").status_code == 422


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

    sent = [(one.kind, one.name) for one in SandboxFile.objects.order_by("pk")]
    assert sent == [("photo", ""), ("voice", ""), ("document", "letter.pdf")]
    assert "Choose a file first." in words(nothing)
    assert "Photo my arm" in words(nothing)
