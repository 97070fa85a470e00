"""Acts of admins on the Control Panel. Each act has a page that explains its effect and asks for confirmation."""

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from companion.clinics.models import Role
from companion.panel import actions
from companion.panel.actions import Unknowns
from companion.restoring import holding
from companion.schedules import queries
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.templatetags.counts import plural


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def pause(request: PageRequest) -> HttpResponse:
    """Pause sending, in this clinic or in all clinics of this admin.

    The page first shows how many messages would be lost, and by when.
    """
    now = database_now()
    others = actions.administered(request.caller)
    if request.method == "POST":
        if request.POST.get("everywhere") == "yes":
            actions.pause_each([request.caller, *others], now=now)
        else:
            actions.pause(request.caller, now=now)
        flash.success(
            request, "Sending is paused. Messages wait until somebody resumes it, or until they are too late."
        )
        return redirect("control_panel")
    losses = actions.losses(request.caller.clinic, now=now)
    elsewhere = [(caller.clinic, actions.losses(caller.clinic, now=now)) for caller in others]
    return render(request, "control/pause.html", {"losses": losses, "elsewhere": elsewhere, "now": now})


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def resume(request: PageRequest) -> HttpResponse:
    """Resume sending, in this clinic or in all paused clinics of this admin."""
    now = database_now()
    others = [caller for caller in actions.administered(request.caller) if caller.clinic.sending_paused_at]
    if request.method == "POST":
        if request.POST.get("everywhere") == "yes":
            actions.resume_each([request.caller, *others], now=now)
        else:
            actions.resume(request.caller, now=now)
        flash.success(request, "Sending is resumed.")
        return redirect("control_panel")
    held = actions.undecided_of(request.caller.clinic, Unknowns(held_by_restore=True), now=now)
    context = {
        "elsewhere": [caller.clinic for caller in others],
        "held": held.order_by()[: queries.COUNTED_TO].count(),
        "forgot_early": holding.forgot_early(request.caller.clinic),
        "restored": request.caller.clinic.sending_paused_by == holding.PAUSED_BY,
    }
    return render(request, "control/resume.html", context)


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def retry(request: PageRequest, reason: str) -> HttpResponse:
    """Retry the messages that failed for this reason, the newest first. A press retries a limited number."""
    now = database_now()
    retryable = actions.retryable(request.caller.clinic, reason, now=now)
    if request.method == "POST":
        retried = actions.retry_all(request.caller, reason, now=now)
        flash.success(request, f"{plural(retried.done, 'message')} will be tried again.")
        if retried.left:
            flash.warning(request, f"{plural(retried.left, 'message')} of this kind remain. Press Retry once more.")
        return redirect("control_panel")
    context = {
        "label": Reason(reason).short,
        "sentence": Reason(reason).sentence,
        "count": retryable.order_by()[: queries.COUNTED_TO].count(),
        "at_once": actions.AT_ONCE,
        "now": now,
    }
    return render(request, "control/retry.html", context)


@require_POST
@page(Role.ADMIN)
def acknowledge(request: PageRequest) -> HttpResponse:
    """Stop reporting the missing services of which other processes of the same kind still work."""
    actions.acknowledge_losses(request.caller, now=database_now())
    flash.success(request, "Acknowledged. We alert you again if another service goes missing.")
    return redirect("alerts")
