"""`/mcp/unknown`: messages with an unknown outcome. Admins decide about them one by one, or about all of them."""

import uuid
from dataclasses import replace
from typing import Final

from django import forms
from django.contrib import messages as flash
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from companion.clinics.models import Role
from companion.clinics.refusals import Problem, Refused, Unknown
from companion.panel import actions
from companion.panel.actions import Decision, Unknowns
from companion.schedules import queries
from companion.schedules.reasons import NO_TRACE
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.templatetags.counts import plural

_SHOWN: Final = 100
_CAUSES: Final = [
    ("", "Any cause"),
    ("restore", "A restore"),
    ("line", "A connection that broke"),
    ("no-trace", "A connection that broke, and no trace at Telegram"),
]


def _date_and_time() -> forms.DateTimeInput:
    return forms.DateTimeInput(attrs={"type": "datetime-local", "class": "form-control"}, format="%Y-%m-%dT%H:%M")


class Filter(forms.Form):
    """A filter of these messages: when they were due (in the clinic's zone), their Schedule, and the cause."""

    due_from = forms.DateTimeField(required=False, label="Meant for, from", widget=_date_and_time())
    due_to = forms.DateTimeField(required=False, label="to", widget=_date_and_time())
    cause = forms.ChoiceField(
        required=False, choices=_CAUSES, label="Cause", widget=forms.Select(attrs={"class": "form-select"})
    )
    schedule = forms.UUIDField(required=False, widget=forms.HiddenInput())

    def which(self) -> Unknowns:
        """Return the chosen messages as `Unknowns`. Raises Refused for a value that can't be read."""
        if not self.is_valid():
            raise Refused(*(Problem(name, str(errors[0])) for name, errors in self.errors.items()))
        cleaned = self.cleaned_data
        cause = actions.CAUSES.get(cleaned["cause"], Unknowns())
        return replace(cause, schedule=cleaned["schedule"], due_from=cleaned["due_from"], due_to=cleaned["due_to"])


@require_GET
@page(Role.ADMIN)
def index(request: PageRequest) -> HttpResponse:
    """List the undecided messages, with links to decide about each message and about all of them."""
    now = database_now()
    form = Filter(request.GET)
    undecided = actions.undecided_of(request.caller.clinic, form.which(), now=now)
    context = {
        "undecided": undecided[:_SHOWN],
        "count": undecided.order_by()[: queries.COUNTED_TO].count(),
        "form": form,
        "query": _query(request.GET),
        "no_trace": NO_TRACE,
        "now": now,
    }
    return render(request, "control/unknown.html", context)


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def decide_all(request: PageRequest, decision: str) -> HttpResponse:
    """Show how many messages match the filter (GET), then decide about them (POST)."""
    now = database_now()
    chosen = _decision(decision)
    which = Filter(request.GET).which()
    back = f"{reverse('unknown_outcomes')}?{_query(request.GET)}"
    if request.method == "POST":
        decided = actions.decide_many(request.caller, which, chosen, now=now)
        done = plural(decided.done, "message")
        flash.success(request, f"{done} will be sent again." if chosen is Decision.RESEND else f"Noted for {done}.")
        if decided.left:
            flash.warning(request, f"{plural(decided.left, 'message')} remain. Decide once more.")
        return redirect(back)
    undecided = actions.undecided_of(request.caller.clinic, which, now=now)
    context = {
        "count": undecided.order_by()[: queries.COUNTED_TO].count(),
        "at_once": actions.AT_ONCE,
        "decision": decision,
        "back": back,
    }
    return render(request, "control/decide_all.html", context)


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def decide(request: PageRequest, message_id: uuid.UUID, decision: str) -> HttpResponse:
    """Ask for a confirmation (GET), then send the message again, or record the decision not to (POST)."""
    message = queries.message(request.caller.clinic, message_id)
    chosen = _decision(decision)
    if request.method == "POST":
        actions.decide(request.caller, message, chosen, now=database_now())
        flash.success(request, "The message is being sent again." if chosen is Decision.RESEND else "Noted.")
        return redirect("unknown_outcomes")
    context = {"message": message, "decision": decision, "no_trace": NO_TRACE, "now": database_now()}
    return render(request, "control/decide.html", context)


def _decision(word: str) -> Decision:
    if word not in list(Decision):
        raise Unknown
    return Decision(word)


def _query(parameters: QueryDict) -> str:
    """Write the filter's fields as the query of an address."""
    query = QueryDict(mutable=True)
    for name in Filter.base_fields:
        if value := parameters.get(name):
            query[name] = str(value)
    return query.urlencode()
