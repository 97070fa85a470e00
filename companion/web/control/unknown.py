"""`/mcp/unknown`: messages with an unknown outcome, for staff to decide one by one or all at once."""

import uuid
from dataclasses import replace

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

_SHOWN = 100
_CAUSES = [
    ("", "Any cause"),
    ("restore", "A restore"),
    ("line", "A connection that broke"),
    ("no-trace", "A connection that broke, and no trace at Telegram"),
]


def _moment() -> forms.DateTimeInput:
    return forms.DateTimeInput(attrs={"type": "datetime-local", "class": "form-control"}, format="%Y-%m-%dT%H:%M")


class Filter(forms.Form):
    """A filter of these messages: the days when they were due (clinic time), their schedule, and the cause."""

    due_from = forms.DateTimeField(required=False, label="Meant for, from", widget=_moment())
    due_to = forms.DateTimeField(required=False, label="to", widget=_moment())
    cause = forms.ChoiceField(
        required=False, choices=_CAUSES, label="Cause", widget=forms.Select(attrs={"class": "form-select"})
    )
    schedule = forms.UUIDField(required=False, widget=forms.HiddenInput())

    def which(self) -> Unknowns:
        """Select the messages that match the filter. Raises Refused for a value that can't be read."""
        if not self.is_valid():
            raise Refused(*(Problem(name, str(errors[0])) for name, errors in self.errors.items()))
        cleaned = self.cleaned_data
        cause = actions.CAUSES.get(cleaned["cause"], Unknowns())
        return replace(cause, schedule=cleaned["schedule"], due_from=cleaned["due_from"], due_to=cleaned["due_to"])


@require_GET
@page(Role.ADMIN)
def index(request: PageRequest) -> HttpResponse:
    """Show the list, with the question about all messages in the list."""
    now = database_now()
    form = Filter(request.GET)
    found = actions.undecided_of(request.caller.clinic, form.which(), now=now)
    context = {
        "found": found[:_SHOWN],
        "count": found.order_by()[: queries.COUNTED_TO].count(),
        "form": form,
        "query": _query(request.GET),
        "no_trace": NO_TRACE,
        "now": now,
    }
    return render(request, "control/unknown.html", context)


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def decide_all(request: PageRequest, decision: str) -> HttpResponse:
    """Decide about all listed messages; the first press shows how many there are."""
    now = database_now()
    wish = _decision(decision)
    which = Filter(request.GET).which()
    back = f"{reverse('unknown_outcomes')}?{_query(request.GET)}"
    if request.method == "POST":
        decided = actions.decide_many(request.caller, which, wish, now=now)
        done = plural(decided.done, "message")
        flash.success(request, f"{done} will be sent again." if wish is Decision.RESEND else f"Noted for {done}.")
        if decided.left:
            flash.warning(request, f"{plural(decided.left, 'message')} left: decide once more.")
        return redirect(back)
    found = actions.undecided_of(request.caller.clinic, which, now=now)
    context = {
        "count": found.order_by()[: queries.COUNTED_TO].count(),
        "at_once": actions.AT_ONCE,
        "decision": decision,
        "back": back,
    }
    return render(request, "control/decide_all.html", context)


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def decide(request: PageRequest, message_id: uuid.UUID, decision: str) -> HttpResponse:
    """Send a message again, or write down why not."""
    message = queries.message(request.caller.clinic, message_id)
    wish = _decision(decision)
    if request.method == "POST":
        actions.decide(request.caller, message, wish, now=database_now())
        flash.success(request, "The message is being sent again." if wish is Decision.RESEND else "Noted.")
        return redirect("unknown_outcomes")
    context = {"message": message, "decision": decision, "no_trace": NO_TRACE, "now": database_now()}
    return render(request, "control/decide.html", context)


def _decision(word: str) -> Decision:
    if word not in list(Decision):
        raise Unknown
    return Decision(word)


def _query(given: QueryDict) -> str:
    """Write the filter's fields for addresses."""
    kept = QueryDict(mutable=True)
    for name in Filter.base_fields:
        if value := given.get(name):
            kept[name] = str(value)
    return kept.urlencode()
