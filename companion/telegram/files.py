"""Fetches a file that a person sent to a bot: getFile for its path, then the file itself.

The path's address holds the token: it is built in client.py and shows up nowhere else.
"""

from enum import StrEnum
from typing import Final

from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.lenient import Part
from companion.telegram.limits import FILE_BYTES
from companion.telegram.methods import CALL_SECONDS
from companion.telegram.outcomes import Kind, Outcome

DOWNLOAD_SECONDS: Final = 45.0
"""The most that a download may take: 20 MB on a line of 4 Mbit/s."""
_TOO_BIG: Final = "file is too big"


class Why(StrEnum):
    """Why there is no file."""

    TOO_LARGE = "too_large"
    """It is larger than a bot can fetch."""
    GONE = "gone"
    """Telegram doesn't have it any more, or not for this bot."""
    REFUSED = "refused"
    """Telegram refuses the bot's token."""
    AWAY = "away"
    """Telegram doesn't answer, or asks to wait: it may work later."""


class NoFile(Exception):
    """The file can't be had."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why: Final = why


async def fetch_file(client: Client, token: BotToken, file_id: str) -> bytes:
    """The file's bytes, at most FILE_BYTES. Raises NoFile."""
    try:
        answer = await client.call(token, "getFile", {"file_id": file_id}, timeout=CALL_SECONDS)
        found = Part(answer.result)
        if (found.whole("file_size") or 0) > FILE_BYTES:
            raise NoFile(Why.TOO_LARGE)
        if not (path := found.text("file_path")):
            raise NoFile(Why.GONE)
        file = await client.download(token, path, most=FILE_BYTES, timeout=DOWNLOAD_SECONDS)
    except CallFailed as failure:
        raise NoFile(_why(failure.outcome)) from None
    if file.status == 200 and file.whole:
        return file.body
    if file.length > FILE_BYTES:
        raise NoFile(Why.TOO_LARGE)
    # A token that is refused would have been refused by getFile.
    raise NoFile(Why.GONE if file.status in (400, 403, 404, 410) else Why.AWAY)


def _why(outcome: Outcome) -> Why:
    match outcome.kind:
        case Kind.UNAUTHORIZED:
            return Why.REFUSED
        case Kind.PERMANENT if _TOO_BIG in outcome.description.lower():
            return Why.TOO_LARGE
        case Kind.PERMANENT:
            return Why.GONE
        case _:
            return Why.AWAY
