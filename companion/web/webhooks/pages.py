"""`/settings/webhooks`: the clinic's programs that are called when something happens, and the results of the calls."""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.clinics.versions import hold
from companion.service.clock import database_now
from companion.times.walls import FIRST_YEAR, LAST_YEAR, resolve
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.form_errors import by_field
from companion.web.numbers import whole_number
from companion.web.templatetags.counts import plural
from companion.webhooks import deliveries, webhooks
from companion.webhooks.models import Kind, Webhook


@require_GET
@page(Role.ADMIN)
def index(request: PageRequest) -> HttpResponse:
    """Show the clinic's webhooks, and a form for a new webhook."""
    return _list(request, {})


@require_POST
@page(Role.ADMIN, fresh=True)
def add(request: PageRequest) -> HttpResponse:
    """Add a webhook, and show its secret once."""
    url, kinds = request.POST.get("url", "").strip(), request.POST.getlist("kinds")
    try:
        webhook, secret = webhooks.add(request.caller, url, kinds, now=database_now())
    except Refused as refusal:
        return _list(request, {"typed_url": url, "chosen": kinds}, refusal=refusal)
    return _page(request, webhook, {"secret": secret})


@require_GET
@page(Role.ADMIN)
def show(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Show a webhook and its newest deliveries; `?before=` leads to older deliveries."""
    return _page(request, webhooks.of_id(request.caller.clinic, webhook_id), {})


@require_POST
@page(Role.ADMIN, fresh=True)
def choose(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Choose the kinds of event."""
    webhook, kinds = webhooks.of_id(request.caller.clinic, webhook_id), request.POST.getlist("kinds")
    now = database_now()
    try:
        with transaction.atomic():
            hold(webhooks.of_clinic(request.caller.clinic).filter(pk=webhook.pk))
            since = conflicts.changes_of(request.caller.clinic, [webhook.pk], "webhook's kinds chosen")
            conflicts.refuse_if_changed(request, _shown(webhook), "the kinds of events", since, now=now)
            webhooks.choose(request.caller, webhook, kinds, now=now)
    except Conflict as refusal:
        flash.error(request, str(refusal))
        return _page(request, webhook, {"chosen": kinds}, status=409)
    except Refused as refusal:
        return _page(request, webhook, {"chosen": kinds}, refusal=refusal)
    flash.success(request, "Saved.")
    return redirect("webhook", webhook_id)


@require_POST
@page(Role.ADMIN, fresh=True)
def act(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Test, open again or remove a webhook, or give it a new secret, which is shown once."""
    webhook, now = webhooks.of_id(request.caller.clinic, webhook_id), database_now()
    name = request.POST.get("do", "")
    if name not in ("secret", *_ACTS):
        raise Unknown
    try:
        if name == "secret":
            return _page(request, webhook, {"secret": webhooks.exchange_secret(request.caller, webhook, now=now)})
        do, words = _ACTS[name]
        do(request, webhook, now)
    except Conflict as refusal:
        flash.error(request, str(refusal))
    else:
        flash.success(request, words)
    return redirect("webhooks") if name == "remove" else redirect("webhook", webhook_id)


_ACTS: Mapping[str, tuple[Callable[[PageRequest, Webhook, dt.datetime], None], str]] = {
    "test": (
        lambda request, webhook, now: webhooks.try_out(request.caller, webhook, now=now),
        "The program accepted the test.",
    ),
    "open": (
        lambda request, webhook, now: webhooks.reopen(request.caller, webhook, now=now),
        "The webhook is called again.",
    ),
    "remove": (
        lambda request, webhook, now: webhooks.remove(request.caller, webhook, now=now),
        "The webhook was removed.",
    ),
}


@require_POST
@page(Role.ADMIN)
def retry(request: PageRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> HttpResponse:
    """Try a delivery again now."""
    webhook = webhooks.of_id(request.caller.clinic, webhook_id)
    try:
        deliveries.retry(request.caller, webhook, delivery_id, now=database_now())
    except Conflict as refusal:
        flash.warning(request, str(refusal))
    else:
        flash.success(request, "The delivery is tried again now.")
    return redirect("webhook", webhook_id)


@require_POST
@page(Role.ADMIN)
def replay(request: PageRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Send all events of a span of time once more."""
    webhook = webhooks.of_id(request.caller.clinic, webhook_id)
    typed = {name: request.POST.get(name, "") for name in ("since", "until")}
    try:
        since, until = (_instant(request, name, text) for name, text in typed.items())
        done = deliveries.replay(request.caller, webhook, since, until, now=database_now())
    except Refused as refusal:
        return _page(request, webhook, typed, refusal=refusal)
    flash.success(request, f"{plural(done, 'event')} {'is' if done == 1 else 'are'} being sent again.")
    return redirect("webhook", webhook_id)


def _instant(request: PageRequest, field: str, typed: str) -> dt.datetime:
    """Read a date and a time in the clinic's zone. Raises Refused for any other text."""
    refusal = Refused(Problem(field, "Give a date and a time."))
    try:
        wall = dt.datetime.fromisoformat(typed)
    except ValueError:
        raise refusal from None
    if wall.tzinfo is not None or not FIRST_YEAR <= wall.year <= LAST_YEAR:
        raise refusal
    return resolve(wall, request.caller.clinic.timezone).at


def _list(request: PageRequest, more: Mapping[str, object], *, refusal: Refused | None = None) -> HttpResponse:
    found = [(webhook, _words(webhooks.kinds_of(webhook))) for webhook in webhooks.of_clinic(request.caller.clinic)]
    context = {
        "webhooks": found,
        "kinds": Kind.choices,
        "chosen": [],
        "now": database_now(),
        "errors": by_field(refusal),
    }
    return render(request, "webhooks/index.html", context | dict(more), status=422 if refusal else 200)


def _shown(webhook: Webhook) -> str:
    """Identify the chosen kinds, so that another person's change is noticed."""
    return " ".join(sorted(webhooks.kinds_of(webhook)))


def _page(
    request: PageRequest,
    webhook: Webhook,
    more: Mapping[str, object],
    *,
    refusal: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    # Read the webhook anew: the act before may have changed it.
    webhook = webhooks.of_id(request.caller.clinic, webhook.pk)
    rows = deliveries.newest(webhook, before=whole_number(request.GET.get("before", ""), digits=18))
    now = database_now()
    context = {
        "webhook": webhook,
        "kinds": Kind.choices,
        "chosen": webhooks.kinds_of(webhook),
        "shown": _shown(webhook),
        "two_secrets": webhook.former_until is not None and now < webhook.former_until,
        "deliveries": rows[: deliveries.SHOWN],
        "older": rows[deliveries.SHOWN - 1].number if len(rows) > deliveries.SHOWN else None,
        "now": now,
        "errors": by_field(refusal),
    }
    return render(request, "webhooks/page.html", context | dict(more), status=422 if refusal else status)


def _words(kinds: set[str]) -> str:
    return ", ".join(kind.label for kind in Kind if kind in kinds)
