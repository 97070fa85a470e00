"""`/mcp`, the Management Control Panel: it shows whether sending works, how we know, and what to repair.

The health banner of every page is here, too.
"""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from companion.clinics.models import Role
from companion.panel import alerts, charts, diagnostics, health
from companion.panel import runbook as runbook_file
from companion.panel.status import status
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.control.chart import chart


@require_GET
@page()
def banner(request: PageRequest) -> HttpResponse:
    """Show only the health banner, which each page asks for repeatedly."""
    return render(request, "parts/banner.html")


@require_GET
@page()
def panel(request: PageRequest) -> HttpResponse:
    """Show the page; with `?part=numbers` only its live part, which the page asks for repeatedly."""
    now = database_now()
    report = health.check(now=now, clinic=request.caller.clinic)
    context = {
        "now": now,
        "report": report,
        "sentence": health.sentence(report, now=now),
        "open_alerts": sum(alert.told_at is not None for alert in alerts.open_alerts(request.caller.clinic)),
        "status": status(request.caller.clinic, now=now),
        "charts": [
            chart("Last 24 hours", charts.last_24_hours(request.caller.clinic, now=now)),
            chart("Last 30 days", charts.last_30_days(request.caller.clinic, now=now)),
        ],
    }
    part = request.GET.get("part") == "numbers"
    return render(request, "control/numbers.html" if part else "control/page.html", context)


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def checks(request: PageRequest) -> HttpResponse:
    """Explain the checks (GET); run them and show the result, the value and the advice of each (POST)."""
    context = (
        {"results": diagnostics.run(request.caller.clinic, now=database_now())} if request.method == "POST" else {}
    )
    return render(request, "control/checks.html", context)


@require_GET
@page()
def runbook(request: PageRequest) -> HttpResponse:
    """Show what each alert and failure code means, what patients notice, what to check and what to do."""
    return render(request, "control/runbook.html", {"chapters": runbook_file.chapters()})
