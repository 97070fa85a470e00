"""Note for a clinic's webhooks that something has happened, in the transaction of the event itself.

Not here: ends of messages, which a statement of the hot path notes (delivery/statements/, `tell_ends`).
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from companion.webhooks.models import Delivery, Kind, Wish

More = Mapping[str, str | int | bool | None]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a subject. `more` holds other ids and codes, never a text or a name."""

    subject: uuid.UUID
    patient: uuid.UUID | None = None
    code: str = ""
    more: More | None = None


def tell(clinic: uuid.UUID, kind: Kind, events: Sequence[Event], *, now: dt.datetime) -> None:
    """Note the events for each of the clinic's open webhooks that gets events of this kind."""
    if not events:
        return
    wishes = Wish.objects.filter(clinic=clinic, kind=kind, webhook__closed_at=None)
    webhooks = list(wishes.values_list("webhook", flat=True))
    Delivery.objects.bulk_create(
        (
            Delivery(
                clinic_id=clinic,
                webhook_id=webhook,
                kind=kind,
                subject=event.subject,
                patient=event.patient,
                code=event.code,
                more=dict(event.more or {}),
                at=now,
                since=now,
                next_try_at=now,
            )
            for event in events
            for webhook in webhooks
        ),
        batch_size=500,
    )


def put_off(clinic: uuid.UUID, kind: Kind, until: dt.datetime, *, but: str) -> None:
    """Put off all waiting calls of this kind until an instant, except those whose code begins with `but`."""
    waiting = Delivery.objects.filter(clinic=clinic, kind=kind, next_try_at__isnull=False)
    waiting.exclude(code__startswith=but).update(next_try_at=until, since=until)
