"""Fetch a file that a person sent to a bot: its path by getFile, then the file.

The file's address holds the token, so it is built in client.py and appears nowhere else.
"""

from enum import StrEnum
from typing import Final

from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.lenient import Part
from companion.telegram.limits import FILE_BYTES
from companion.telegram.methods import CALL_SECONDS
from companion.telegram.outcomes import Kind, Outcome

DOWNLOAD_SECONDS: Final = 45.0
"""The time limit of a download: enough for 20 MB at 4 Mbit/s."""
_TOO_BIG: Final = "file is too big"


class FileProblem(StrEnum):
    """A reason for which a file can't be fetched."""

    TOO_LARGE = "too_large"
    """The file is larger than a bot can fetch."""
    GONE = "gone"
    """Telegram doesn't have the file any more, or not for this bot."""
    REFUSED = "refused"
    """Telegram refuses the bot's token."""
    NO_ANSWER = "no_answer"
    """Telegram doesn't answer, or asks to wait. A later try may work."""


class NoFile(Exception):
    """The file can't be fetched. `problem` says why."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem.value)
        self.problem: Final = problem


async def fetch_file(client: Client, token: BotToken, file_id: str) -> bytes:
    """Return the file's bytes, at most FILE_BYTES. Raises NoFile."""
    try:
        answer = await client.call(token, "getFile", {"file_id": file_id}, timeout=CALL_SECONDS)
        part = Part(answer.result)
        if (part.whole("file_size") or 0) > FILE_BYTES:
            raise NoFile(FileProblem.TOO_LARGE)
        if not (path := part.text("file_path")):
            raise NoFile(FileProblem.GONE)
        file = await client.download(token, path, max_bytes=FILE_BYTES, timeout=DOWNLOAD_SECONDS)
    except CallFailed as failure:
        raise NoFile(_problem(failure.outcome)) from None
    if file.status == 200 and file.whole:
        return file.body
    if file.length > FILE_BYTES:
        raise NoFile(FileProblem.TOO_LARGE)
    # No status here means a refused token: getFile would have been refused before.
    raise NoFile(FileProblem.GONE if file.status in (400, 403, 404, 410) else FileProblem.NO_ANSWER)


def _problem(outcome: Outcome) -> FileProblem:
    match outcome.kind:
        case Kind.UNAUTHORIZED:
            return FileProblem.REFUSED
        case Kind.PERMANENT if _TOO_BIG in outcome.description.lower():
            return FileProblem.TOO_LARGE
        case Kind.PERMANENT:
            return FileProblem.GONE
        case _:
            return FileProblem.NO_ANSWER
