"""The bytes of patients' files: kept sealed, in parts, with a type and a name that hide nothing."""

import datetime as dt
from functools import partial

import pytest
from django.test import Client

from companion.clinics.models import Role
from companion.listener import media
from companion.listener.models import Media, MediaPart
from companion.sandbox.models import FileKind, SandboxFile
from tests.api.calls import a_program
from tests.support.threads import at_once
from tests.web.practice import PNG, Practice, body_of, opened, practice
from tests.web.signed_in import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["practice"]


def test_a_kept_file_is_not_fetched_again(practice: Practice) -> None:
    file = practice.sends(FileKind.PHOTO)
    opened(practice.clinic, file)
    SandboxFile.objects.update(content=b"another file")

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
def test_the_type_comes_from_the_bytes_and_not_from_the_name(
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


def test_a_program_may_ask_for_the_head_or_a_part_of_a_file_alone(practice: Practice) -> None:
    file = practice.sends(FileKind.DOCUMENT, b"0123456789", "data.bin")
    key = {"Authorization": f"Bearer {a_program(practice.clinic, Role.VIEWER).key}"}
    client, path = Client(headers=key), f"/api/scheduler/media/{file.id}"

    head, part = client.head(path), client.get(path, headers={"Range": "bytes=2-4"})

    assert (head.status_code, head["Content-Length"], head.getvalue()) == (200, "10", b"")
    assert (part.status_code, part.getvalue()) == (206, b"234")
    assert client.get(f"{path}?size=1").status_code == 422
