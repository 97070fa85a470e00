"""A receiver of webhooks that verifies each call by the standard's own library, and webhooks that call it."""

import datetime as dt
import threading
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from standardwebhooks import Webhook as Verifier

from companion.clinics.models import Clinic, Role
from companion.service.clock import database_now
from companion.webhooks import outbox, turn, webhooks
from companion.webhooks.models import Kind, Webhook
from companion.webhooks.outbox import Event
from tests.builders import NOW, a_caller
from tests.support.receivers import Hook

Json = Any  # a test reads it key by key
ALL = Kind.values


class Call(NamedTuple):
    """A genuine call: its id, and its body."""

    id: str
    body: Json

    @property
    def type(self) -> str:
        return str(self.body["type"])


def a_webhook(clinic: Clinic, hook: Hook, kinds: Sequence[str] = ALL) -> tuple[Webhook, str]:
    """A webhook of the clinic that leads to this receiver, and its secret."""
    return webhooks.add(a_caller(clinic, Role.ADMIN), hook.url, kinds, now=NOW)


def calls(hook: Hook, secret: str) -> list[Call]:
    """The calls that came. Raises the library's WebhookVerificationError for a call that isn't genuine."""
    verifier = Verifier(secret)
    return [Call(headers["webhook-id"], verifier.verify(body, headers)) for headers, body in hook.posts]


def ids(hook: Hook) -> list[str]:
    return [headers["webhook-id"] for headers, _ in hook.posts]


def sent_off(webhook: Webhook, *, now: dt.datetime | None = None) -> None:
    """Let a process make the calls of this webhook that are due at this instant, or now."""
    if now is None:
        turn.take(webhook.pk, threading.Event())
    else:
        turn.take(webhook.pk, threading.Event(), clock=lambda: now)


def an_id() -> uuid.UUID:
    return uuid.uuid4()


def happens(clinic: Clinic, *, times: int = 1, now: dt.datetime | None = None) -> None:
    """Let this number of patients enrol."""
    events = [Event(an_id()) for _ in range(times)]
    outbox.tell(clinic.pk, Kind.ENROLMENT, events, now=now or database_now())
