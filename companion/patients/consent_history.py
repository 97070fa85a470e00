"""Add entries to the history of consent, and tell the clinic's webhooks in the same transaction."""

import datetime as dt
from collections.abc import Sequence

from companion.patients.models import ConsentChange
from companion.webhooks import outbox
from companion.webhooks.models import Kind
from companion.webhooks.outbox import Event


def keep(changes: Sequence[ConsentChange], *, now: dt.datetime) -> None:
    """Store these entries, all of one clinic."""
    ConsentChange.objects.bulk_create(changes)
    if changes:
        events = [Event(change.patient_id, code=change.consent) for change in changes]
        outbox.tell(changes[0].clinic_id, Kind.CONSENT, events, now=now)
