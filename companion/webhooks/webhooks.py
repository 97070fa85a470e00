"""Acts of admins on their clinic's webhooks: add, choose kinds, exchange the secret, open again, remove, test.

Not here: the calls for events (sending.py), retry and replay (deliveries.py).
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.ids import new_id
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.clinics.sealed import CannotOpen
from companion.service.slots import OUTSIDE
from companion.webhooks import calling, payload, signing
from companion.webhooks.models import Delivery, Kind, Webhook, Wish

MOST: Final = 10
"""The largest number of webhooks of a clinic."""
UNANSWERED: Final = 10
"""The number of failed calls in a row after which admins are alerted. If there are many events, it takes 15 minutes."""
OVERLAP: Final = dt.timedelta(hours=24)
"""The time after an exchange during which the former secrets sign calls, too."""
SECRETS: Final = 10
"""The largest number of secrets that sign at the same time."""
NO_KEY: Final = "its address can't be decrypted. Restore the former COMPANION_SECRET_KEY"


def of_clinic(clinic: Clinic) -> QuerySet[Webhook]:
    """Return the clinic's webhooks, the oldest first. Addresses and secrets are not read: no page shows them."""
    return Webhook.objects.filter(clinic=clinic).defer("url", "secret", "former_secret").order_by("created_at", "id")


def of_id(clinic: Clinic, id: uuid.UUID) -> Webhook:
    """Return the clinic's webhook with this id. Raises Unknown."""
    webhook = of_clinic(clinic).filter(pk=id).first()
    if webhook is None:
        raise Unknown
    return webhook


def wanting(clinic: Clinic, kind: Kind) -> QuerySet[Webhook]:
    """Return the clinic's open webhooks that get events of this kind."""
    return of_clinic(clinic).filter(wishes__kind=kind, closed_at=None)


def unanswered(clinic: Clinic) -> QuerySet[Webhook]:
    """Return the clinic's webhooks that are closed, or whose last calls have all failed."""
    return of_clinic(clinic).filter(Q(closed_at__isnull=False) | Q(failures__gte=UNANSWERED))


def kinds_of(webhook: Webhook) -> set[str]:
    """Return the kinds of event that the webhook gets."""
    return set(webhook.wishes.values_list("kind", flat=True))


class NewWebhook(NamedTuple):
    """A webhook that was just added, and its secret, which can be shown only now."""

    webhook: Webhook
    secret: str


def add(caller: Caller, url: str, kinds: Sequence[str], *, now: dt.datetime) -> NewWebhook:
    """Add a webhook. Raises Refused."""
    caller.needs(Role.ADMIN)
    calling.check(url)
    wanted = _read(kinds)
    secret = signing.new_secret()
    with transaction.atomic():
        Clinic.objects.select_for_update(no_key=True).get(pk=caller.clinic.pk)
        if of_clinic(caller.clinic).count() >= MOST:
            raise Refused(Problem("url", f"A clinic has up to {MOST} webhooks. Remove another webhook first."))
        webhook = Webhook.objects.create(clinic=caller.clinic, url=url, secret=secret, created_at=now)
        _wish(webhook, wanted)
        changes = {
            **audit.differences({}, {"kinds": sorted(wanted)}),
            "address": audit.CHANGED,
            "secret": audit.CHANGED,
        }
        audit.record(caller, "webhook added", "webhook", webhook.pk, now=now, changes=changes)
    return NewWebhook(webhook, secret)


def choose(caller: Caller, webhook: Webhook, kinds: Sequence[str], *, now: dt.datetime) -> None:
    """Send the webhook events of these kinds from now on. Events that are noted already go out. Raises Refused."""
    caller.needs(Role.ADMIN)
    wanted = _read(kinds)
    with transaction.atomic():
        changes = audit.differences({"kinds": sorted(kinds_of(webhook))}, {"kinds": sorted(wanted)})
        webhook.wishes.exclude(kind__in=wanted).delete()
        _wish(webhook, wanted - kinds_of(webhook))
        audit.record(caller, "webhook's kinds chosen", "webhook", webhook.pk, now=now, changes=changes)


def exchange_secret(caller: Caller, webhook: Webhook, *, now: dt.datetime) -> str:
    """Give the webhook a new secret, and return the secret. For a day the former secret signs calls, too.

    After an exchange within this day all earlier secrets go on signing: nobody knows which of them the program has.
    Raises Conflict if too many secrets sign already, or if they can't be decrypted, because the secret key is lost.
    """
    caller.needs(Role.ADMIN)
    secret = signing.new_secret()
    with transaction.atomic():
        try:
            locked = Webhook.objects.select_for_update().get(clinic=caller.clinic, pk=webhook.pk)
        except CannotOpen:
            raise Conflict(f"The webhook keeps its secret: {NO_KEY}.") from None
        signing_now = keys_of(locked, now=now)
        if len(signing_now) >= SECRETS:
            raise Conflict(
                f"{SECRETS} secrets sign each call already. Give your program the newest, and try again later."
            )
        locked.former_secret, locked.former_until, locked.secret = " ".join(signing_now), now + OVERLAP, secret
        locked.save(update_fields=["former_secret", "former_until", "secret"])
        changes = {"secret": audit.CHANGED}
        audit.record(caller, "webhook's secret exchanged", "webhook", webhook.pk, now=now, changes=changes)
    return secret


def reopen(caller: Caller, webhook: Webhook, *, now: dt.datetime) -> None:
    """Open a closed webhook again. Events that still wait for it go out first."""
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        row = Webhook.objects.filter(clinic=caller.clinic, pk=webhook.pk)
        closed_at = row.values_list("closed_at", flat=True).first()
        row.update(closed_at=None, failures=0, rests_until=None)
        # The day for trying begins now. Otherwise the first failed call would give up all events that waited longer.
        waiting = Delivery.objects.filter(clinic=caller.clinic, webhook=webhook, next_try_at__isnull=False)
        waiting.update(since=now, next_try_at=now, tries=0)
        changes = audit.differences({"closed_at": closed_at}, {})
        audit.record(caller, "webhook opened again", "webhook", webhook.pk, now=now, changes=changes)


def remove(caller: Caller, webhook: Webhook, *, now: dt.datetime) -> None:
    """Remove the webhook, with all events that are noted for it."""
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        changes = {**audit.differences({"kinds": sorted(kinds_of(webhook))}, {}), "address": audit.CHANGED}
        Webhook.objects.filter(clinic=caller.clinic, pk=webhook.pk).delete()
        audit.record(caller, "webhook removed", "webhook", webhook.pk, now=now, changes=changes)


def try_out(caller: Caller, webhook: Webhook, *, now: dt.datetime) -> None:
    """Call the webhook with a test. Takes seconds. Raises Conflict with the reason if the call was not accepted,
    and Busy.
    """
    caller.needs(Role.ADMIN)
    with OUTSIDE.taken(caller.clinic.pk):
        audit.record(caller, "test webhook called", "webhook", webhook.pk, now=now, changes=audit.NO_VALUE)
        readable = opened(webhook.pk)
        error = call_once(readable, payload.of_test(at=now), at=now) if readable else NO_KEY
    if error:
        raise Conflict(f"The webhook was not reached: {error}.")
    # The receiver works again: send the waiting events now.
    Webhook.objects.filter(clinic=caller.clinic, pk=webhook.pk).update(failures=0, rests_until=None)


def call_once(webhook: Webhook, body: str, *, at: dt.datetime) -> str:
    """Make a single call with a new id. Return "" or the reason why it was not accepted."""
    receiver = calling.Receiver(webhook.url)
    try:
        return receiver.post(body, signing.headers(keys_of(webhook, now=at), new_id(), body, at=at)).error
    finally:
        receiver.close()


def keys_of(webhook: Webhook, *, now: dt.datetime) -> list[str]:
    """Return the secrets that sign the webhook's calls, the present secret first. Raises CannotOpen."""
    former = webhook.former_secret if webhook.former_until and now < webhook.former_until else None
    return [webhook.secret, *(former or "").split()]


def opened(id: uuid.UUID) -> Webhook | None:
    """Return the webhook with its address and secrets; None if it was removed, or can't be decrypted with our keys."""
    try:
        return Webhook.objects.filter(pk=id).first()
    except CannotOpen:
        return None


def _read(kinds: Iterable[str]) -> set[str]:
    wanted = set(kinds)
    if not wanted or not wanted <= set(Kind.values):
        raise Refused(Problem("kinds", "Choose at least one kind of event."))
    return wanted


def _wish(webhook: Webhook, kinds: Iterable[str]) -> None:
    Wish.objects.bulk_create(
        [Wish(clinic_id=webhook.clinic_id, kind=kind, webhook=webhook) for kind in sorted(kinds)],
        ignore_conflicts=True,
    )
