"""The thread in each service that chains new audit entries, and writes the newest hashes to the Journal.

Nobody can remove entries that the Journal knows from the database without being noticed.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog
from django.db import Error, close_old_connections, connection

from companion.clinics import chain
from companion.journal import writing
from companion.journal.entries import Chained
from companion.journal.writing import JournalGone
from companion.service.clock import database_now
from companion.service.error_place import kind_and_place
from companion.service.timeouts import database_within

log = structlog.stdlib.get_logger(__name__)
_POLL_SECONDS: Final = 10.0
"""The longest time until entries of other processes, such as a command, are chained."""
_REST_SECONDS: Final = 1.0
"""The pause between two rounds, so that many acts in a row are chained together."""
_DATABASE_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 2.0


@contextmanager
def chaining() -> Iterator[None]:
    """Chain entries until the block ends, also after an outage of the database."""
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(stop,), name="audit chain", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        chain.ring()
        thread.join(_STOP_SECONDS)


def chain_once(noted: dict[uuid.UUID, int]) -> None:
    """Chain the waiting entries of all clinics. `noted`: the newest number of each chain in this process's Journal."""
    for clinic in chain.waiting():
        chain.catch_up(clinic)
    if not writing.folder_id():
        return
    for clinic, head in chain.heads().items():
        if noted.get(clinic) != head.number:
            with suppress(JournalGone):
                writing.write(Chained(database_now(), clinic, head.number, head.hash))
                noted[clinic] = head.number


def _run(stop: threading.Event) -> None:
    noted: dict[uuid.UUID, int] = {}
    while not stop.is_set():
        chain.rung.wait(_POLL_SECONDS)
        chain.rung.clear()
        _try(noted)
        stop.wait(_REST_SECONDS)
    connection.close()


def _try(noted: dict[uuid.UUID, int]) -> None:
    close_old_connections()
    try:
        with database_within(_DATABASE_SECONDS):
            chain_once(noted)
    except Error:
        # The monitor's thread reports an outage of the database; the entries are chained later.
        connection.close()
    except Exception as error:  # noqa: BLE001 (else the thread would end, and no entry would be chained)
        log.error("the audit trail was not chained", **kind_and_place(error))  # noqa: TRY400
