"""The services that a copy of the database has seen alive."""

import datetime as dt
import uuid

from companion.service.models import Heartbeat, Kind


def a_writer(journal: str, *, at: dt.datetime) -> None:
    """A dispatcher's last heartbeat, with the id of the Journal that it wrote to; "": it kept no Journal."""
    state = {"journal": journal} if journal else {}
    Heartbeat.objects.create(
        id=uuid.uuid4(),
        kind=Kind.DISPATCHER,
        host="one",
        pid=1,
        version="1",
        started_at=at,
        beat_at=at,
        health_url="",
        state=state,
    )
