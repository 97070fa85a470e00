"""Acts of admins on their clinic's webhooks: add, choose kinds, exchange the secret, close, open, remove, try out.

The calls of events are made by sending.py; retry and replay stand in deliveries.py.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.ids import new_id
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.clinics.sealed import CannotOpen
from companion.webhooks import calling, payload, signing
from companion.webhooks.models import Delivery, Kind, Webhook, Wish

MOST: Final = 10
"""The webhooks of a clinic."""
UNANSWERED: Final = 10
"""The calls in a row that nobody took before admins hear of it: after a quarter of an hour if there is much to tell."""
OVERLAP: Final = dt.timedelta(hours=24)
"""The time after an exchange for which the former secret signs, too."""
NO_KEY: Final = "its address can't be opened: give back the COMPANION_SECRET_KEY of before"


def of_clinic(clinic: Clinic) -> QuerySet[Webhook]:
    """The clinic's webhooks, the oldest first. Addresses stay sealed: no page shows them."""
    return Webhook.objects.filter(clinic=clinic).defer("url", "secret", "former_secret").order_by("created_at", "id")


def of_id(clinic: Clinic, id: uuid.UUID) -> Webhook:
    """The clinic's webhook of this id. Raises Unknown."""
    found = of_clinic(clinic).filter(pk=id).first()
    if found is None:
        raise Unknown
    return found


def wanting(clinic: Clinic, kind: Kind) -> QuerySet[Webhook]:
    """The clinic's open webhooks that get events of this kind."""
    return of_clinic(clinic).filter(wishes__kind=kind, closed_at=None)


def unanswered(clinic: Clinic) -> QuerySet[Webhook]:
    """The clinic's webhooks that are closed, or whose receiver has taken none of many calls in a row."""
    return of_clinic(clinic).filter(Q(closed_at__isnull=False) | Q(failures__gte=UNANSWERED))


def kinds_of(webhook: Webhook) -> set[str]:
    """The kinds of event that it gets."""
    return set(webhook.wishes.values_list("kind", flat=True))


def add(caller: Caller, url: str, kinds: Sequence[str], *, now: dt.datetime) -> tuple[Webhook, str]:
    """Add a webhook, and return it with its secret, which is shown only now. Raises Refused."""
    caller.needs(Role.ADMIN)
    calling.check(url)
    wanted = _read(kinds)
    secret = signing.new_secret()
    with transaction.atomic():
        Clinic.objects.select_for_update(no_key=True).get(pk=caller.clinic.pk)
        if of_clinic(caller.clinic).count() >= MOST:
            raise Refused(Problem("url", f"A clinic has up to {MOST} webhooks. Remove another one first."))
        webhook = Webhook.objects.create(clinic=caller.clinic, url=url, secret=secret, created_at=now)
        _wish(webhook, wanted)
        told = {**audit.differences({}, {"kinds": sorted(wanted)}), "address": audit.CHANGED, "secret": audit.CHANGED}
        audit.record(caller, "webhook added", "webhook", webhook.pk, now=now, changes=told)
    return webhook, secret


def choose(caller: Caller, webhook: Webhook, kinds: Sequence[str], *, now: dt.datetime) -> None:
    """Send it events of these kinds from now on. What is noted already goes out. Raises Refused."""
    caller.needs(Role.ADMIN)
    wanted = _read(kinds)
    with transaction.atomic():
        told = audit.differences({"kinds": sorted(kinds_of(webhook))}, {"kinds": sorted(wanted)})
        webhook.wishes.exclude(kind__in=wanted).delete()
        _wish(webhook, wanted - kinds_of(webhook))
        audit.record(caller, "webhook's kinds chosen", "webhook", webhook.pk, now=now, changes=told)


def exchange_secret(caller: Caller, webhook: Webhook, *, now: dt.datetime) -> str:
    """Give it a new secret, and return it. The former one signs as well for a day. Raises Conflict if the key of its
    secret is lost.
    """
    caller.needs(Role.ADMIN)
    secret = signing.new_secret()
    with transaction.atomic():
        try:
            held = Webhook.objects.select_for_update().get(clinic=caller.clinic, pk=webhook.pk)
        except CannotOpen:
            raise Conflict(f"The webhook keeps its secret: {NO_KEY}.") from None
        held.former_secret, held.former_until, held.secret = held.secret, now + OVERLAP, secret
        held.save(update_fields=["former_secret", "former_until", "secret"])
        told = {"secret": audit.CHANGED}
        audit.record(caller, "webhook's secret exchanged", "webhook", webhook.pk, now=now, changes=told)
    return secret


def reopen(caller: Caller, webhook: Webhook, *, now: dt.datetime) -> None:
    """Open a closed webhook again. What still waits for it goes out first."""
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        own = Webhook.objects.filter(clinic=caller.clinic, pk=webhook.pk)
        closed_at = own.values_list("closed_at", flat=True).first()
        own.update(closed_at=None, failures=0, rests_until=None)
        # Its day begins now: of what waited longer, the first failed call would else give up all.
        waiting = Delivery.objects.filter(clinic=caller.clinic, webhook=webhook, next_try_at__isnull=False)
        waiting.update(since=now, next_try_at=now, tries=0)
        told = audit.differences({"closed_at": closed_at}, {})
        audit.record(caller, "webhook opened again", "webhook", webhook.pk, now=now, changes=told)


def remove(caller: Caller, webhook: Webhook, *, now: dt.datetime) -> None:
    """Remove it, with all that is noted for it."""
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        told = {**audit.differences({"kinds": sorted(kinds_of(webhook))}, {}), "address": audit.CHANGED}
        Webhook.objects.filter(clinic=caller.clinic, pk=webhook.pk).delete()
        audit.record(caller, "webhook removed", "webhook", webhook.pk, now=now, changes=told)


def try_out(caller: Caller, webhook: Webhook, *, now: dt.datetime) -> None:
    """Call it with a test; takes seconds. Raises Conflict with the reason if the call was not taken."""
    caller.needs(Role.ADMIN)
    audit.record(caller, "test webhook called", "webhook", webhook.pk, now=now, changes=audit.NO_VALUE)
    found = opened(webhook.pk)
    if error := call_once(found, payload.of_test(at=now), at=now) if found else NO_KEY:
        raise Conflict(f"The webhook was not reached: {error}.")
    # The receiver is in order again: what waits goes out now.
    Webhook.objects.filter(clinic=caller.clinic, pk=webhook.pk).update(failures=0, rests_until=None)


def call_once(webhook: Webhook, body: str, *, at: dt.datetime) -> str:
    """Make one call with an id of its own. Returns "" or the reason why it was not taken."""
    line = calling.Line(webhook.url)
    try:
        return line.post(body, signing.headers(keys_of(webhook, now=at), new_id(), body, at=at)).error
    finally:
        line.close()


def keys_of(webhook: Webhook, *, now: dt.datetime) -> list[str]:
    """The secrets that sign its calls, the present one first. Raises CannotOpen."""
    former = webhook.former_secret if webhook.former_until and now < webhook.former_until else None
    return [webhook.secret, former] if former else [webhook.secret]


def opened(id: uuid.UUID) -> Webhook | None:
    """The webhook with its address and secrets; None if it was removed or can't be opened (another SECRET_KEY)."""
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
