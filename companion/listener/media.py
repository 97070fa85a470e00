"""Patients' files: noted when they come in, fetched from Telegram when staff opens them, deleted after some months.

The bytes are stored sealed in the database, so that every web process can read them. A file is written in pieces, each
in a separate transaction, so that a large file delays no message. The web and the API check who may open a file.
"""

import asyncio
import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Final

from django.conf import settings
from django.http.response import HttpResponseBase

from companion.clinics import bots
from companion.clinics.bot_api import bot_api_client
from companion.clinics.models import Bot, Clinic
from companion.clinics.refusals import Unknown
from companion.clinics.sealed import CannotOpen, seal_bytes, unseal_bytes
from companion.listener.file_types import SUFFIXES, type_of
from companion.listener.models import Media, MediaPart, Reply
from companion.service import drill
from companion.service.file_answer import file_answer, file_name
from companion.service.slots import DOWNLOADS, Busy
from companion.telegram.client import BotToken
from companion.telegram.content import FileIn
from companion.telegram.files import FileProblem, NoFile, fetch_file
from companion.telegram.limits import FILE_BYTES

PART_BYTES: Final = 2**20
_CONTENT: Final = MediaPart.content.field
_AT_ONCE: Final = threading.BoundedSemaphore(3)
"""The largest number of downloads at once in a process, so that its other threads can serve pages."""
_QUEUE_SECONDS: Final = 5.0
_LARGEST: Final = FILE_BYTES // 2**20


class FileUnavailable(Exception):
    """The file can't be shown. The text says why and what to do. `later` is True if a new try may work soon."""

    def __init__(self, sentence: str, *, later: bool = False) -> None:
        super().__init__(sentence)
        self.later: Final = later


_SENTENCES: Final = {
    FileProblem.TOO_LARGE: (
        f"This file is larger than {_LARGEST} MB, more than a bot can fetch. Ask for a smaller file."
    ),
    FileProblem.GONE: "Telegram doesn't have this file any more. Ask the patient to send it again.",
    FileProblem.REFUSED: (
        "Telegram refuses the bot's token, so the file can't be fetched. Enter a valid token in Settings."
    ),
    FileProblem.NO_ANSWER: "Telegram doesn't answer, so the file can't be fetched just now. Try again in a minute.",
}
_DELETED: Final = "This file was deleted: files from patients are kept for {days} days."
_OTHER_BOT: Final = "This file came to another bot, which this clinic no longer has. Ask the patient to send it again."
_SEALED: Final = "The bot's token can't be decrypted, so the file can't be fetched. Restore the former secret key."
_BUSY: Final = "Other files are being fetched just now. Try again in a moment."


def note(reply: Reply, kind: str, file: FileIn) -> None:
    """Note a file that came with this Reply. It is fetched only when staff opens it."""
    bot = Bot.objects.values_list("telegram_id", flat=True).get(clinic=reply.clinic)
    Media.objects.create(
        clinic=reply.clinic,
        reply=reply,
        kind=kind,
        name=file.name[:255],
        size=file.size,
        bot=bot,
        file_id=file.file_id,
        came_at=reply.at,
    )


def find(clinic: Clinic, media_id: uuid.UUID) -> Media:
    """Return a file of the clinic. Raises Unknown."""
    media = Media.objects.filter(clinic=clinic, pk=media_id).first()
    if media is None:
        raise Unknown("There is no such file in this clinic.")
    return media


def obstacle(media: Media) -> str:
    """Return the reason why the file can't be opened; "" if none is known without asking Telegram."""
    if media.dropped_at:
        return _DELETED.format(days=settings.COMPANION.media_days)
    if not media.kept_at and media.size and media.size > FILE_BYTES:
        return _SENTENCES[FileProblem.TOO_LARGE]
    return ""


def fetched(media: Media, *, now: dt.datetime) -> Media:
    """Fetch the file from Telegram, unless it is stored already, and return its row. Raises FileUnavailable."""
    if known := obstacle(media):
        raise FileUnavailable(known)
    if media.kept_at:
        return media
    if drill.is_on():
        raise FileUnavailable(drill.NOT_IN_A_DRILL)
    token = _token(media)
    try:
        with DOWNLOADS.taken(media.clinic_id):
            body = _downloaded(token, media.file_id)
    except Busy as busy:
        raise FileUnavailable(str(busy), later=True) from None
    return _kept(media, body, now)


def read(media: Media, begin: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of a stored file from `begin` up to `end`, piece by piece."""
    for number in range(begin // PART_BYTES, -(-end // PART_BYTES)):
        sealed = MediaPart.objects.values_list("content", flat=True).filter(media=media, number=number).first()
        if sealed is None:
            # The file was deleted meanwhile.
            return
        start = number * PART_BYTES
        yield unseal_bytes(sealed, _CONTENT.purpose_of(media.pk, number))[max(begin - start, 0) : end - start]


def answer(media: Media, *, range_header: str) -> HttpResponseBase:
    """Answer with a stored file. `range_header` is the request's Range header."""
    name = file_name(media.name, f"{media.kind}-{media.came_at:%Y-%m-%d}", SUFFIXES[media.type])
    return file_answer(partial(read, media), media.size or 0, media.type, name, range_header=range_header)


def drop_old(*, now: dt.datetime, limit: int = 20) -> int:
    """Delete files that are too old, the oldest first, and return their number. The Reply and its words stay."""
    before = now - dt.timedelta(days=settings.COMPANION.media_days)
    old = Media.objects.filter(dropped_at__isnull=True, came_at__lt=before).order_by("came_at")
    ids = list(old.values_list("pk", flat=True)[:limit])
    # Mark the files first, so that nobody fetches them again before their pieces are deleted.
    Media.objects.filter(pk__in=ids).update(dropped_at=now, kept_at=None, file_id="", name="")
    MediaPart.objects.filter(media__in=ids).delete()
    return len(ids)


def _token(media: Media) -> BotToken:
    its_bot = bots.serving(sandbox=settings.SANDBOX_ON).filter(clinic=media.clinic_id, telegram_id=media.bot)
    bot = its_bot.defer("token").first()
    if bot is None:
        raise FileUnavailable(_OTHER_BOT)
    try:
        return BotToken(bot.token)
    except (CannotOpen, ValueError):
        raise FileUnavailable(_SEALED) from None


def _downloaded(token: BotToken, file_id: str) -> bytes:
    if not _AT_ONCE.acquire(timeout=_QUEUE_SECONDS):
        raise FileUnavailable(_BUSY, later=True)
    try:
        return asyncio.run(_from_telegram(token, file_id))
    except NoFile as error:
        raise FileUnavailable(_SENTENCES[error.problem], later=error.problem is FileProblem.NO_ANSWER) from None
    finally:
        _AT_ONCE.release()


async def _from_telegram(token: BotToken, file_id: str) -> bytes:
    async with bot_api_client(concurrency=1) as client:
        return await fetch_file(client, token, file_id)


def _kept(media: Media, body: bytes, now: dt.datetime) -> Media:
    """Write the file piece by piece. Two people who open it at the same time write the same pieces."""
    for number in range(-(-len(body) // PART_BYTES)):
        piece = body[number * PART_BYTES : (number + 1) * PART_BYTES]
        part = MediaPart(media=media, number=number, content=seal_bytes(piece, _CONTENT.purpose_of(media.pk, number)))
        MediaPart.objects.bulk_create([part], ignore_conflicts=True)
    row = Media.objects.filter(pk=media.pk, kept_at=None, dropped_at=None)
    row.update(kept_at=now, type=type_of(body[:64]), size=len(body))
    media.refresh_from_db()
    if media.dropped_at:
        media.parts.all().delete()
        raise FileUnavailable(obstacle(media))
    return media
