"""List deliveries, retry a delivery, replay a span of time, and delete old deliveries."""

import datetime as dt
import uuid
from typing import Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.webhooks.models import Delivery, Webhook

KEPT: Final = dt.timedelta(days=14)
"""The time for which a delivery is shown and can be replayed."""
SHOWN: Final = 50
REPLAYED: Final = 10_000
"""The largest number of deliveries that are replayed at a time."""
_AT_ONCE: Final = 1000


def newest(webhook: Webhook, *, before: int | None = None) -> list[Delivery]:
    """Return the newest deliveries, those below number `before` if given, and one delivery more than a page shows."""
    rows = Delivery.objects.filter(webhook=webhook).order_by("-number")
    if before is not None:
        rows = rows.filter(number__lt=before)
    return list(rows[: SHOWN + 1])


def retry(caller: Caller, webhook: Webhook, id: uuid.UUID, *, now: dt.datetime) -> None:
    """Try a delivery again now, with the same id. Raises Conflict if it was accepted meanwhile, and NotAllowed."""
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        delivery = Delivery.objects.filter(clinic=caller.clinic, webhook=webhook, id=id, taken_at=None)
        if not delivery.update(since=now, next_try_at=now, tries=0):
            raise Conflict("This was delivered meanwhile, or is not kept any more.")
        audit.record(caller, "webhook delivery retried", "webhook", webhook.pk, now=now, changes=audit.NO_VALUE)


def replay(caller: Caller, webhook: Webhook, since: dt.datetime, until: dt.datetime, *, now: dt.datetime) -> int:
    """Make all deliveries of this span of time once more, in their order and with the same ids. Return how many.

    Raises Refused if the span is wrong or has too many deliveries, and NotAllowed.
    """
    caller.needs(Role.ADMIN)
    if since >= until:
        raise Refused(Problem("until", "The end must be after the beginning."))
    with transaction.atomic():
        rows = Delivery.objects.filter(clinic=caller.clinic, webhook=webhook, at__gte=since, at__lt=until)
        numbers = list(rows.values_list("number", flat=True)[: REPLAYED + 1])
        if len(numbers) > REPLAYED:
            raise Refused(
                Problem("until", f"There are more than {REPLAYED:,} events in this time. Choose a shorter time.")
            )
        done = rows.update(since=now, next_try_at=now, tries=0, taken_at=None, answer=None, error="")
        changes = audit.differences({}, {"from": since, "to": until, "events": done})
        audit.record(caller, "webhook deliveries replayed", "webhook", webhook.pk, now=now, changes=changes)
    return done


def drop_old(*, now: dt.datetime) -> int:
    """Delete the oldest deliveries that are older than KEPT, some at a time. Return how many."""
    # Numbers grow with time, so the oldest deliveries come first in the order of the primary key.
    first = list(Delivery.objects.order_by("number").values_list("number", "at")[:_AT_ONCE])
    old = [number for number, at in first if at < now - KEPT]
    return Delivery.objects.filter(number__in=old).delete()[0] if old else 0
