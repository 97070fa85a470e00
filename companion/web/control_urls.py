"""The addresses of what admins do on the Control Panel, under /mcp/."""

from django.urls import path

from companion.web import alert_pages, control, control_acts, unknown

urlpatterns = [
    path("pause", control_acts.pause),
    path("resume", control_acts.resume),
    path("retry/<str:reason>", control_acts.retry),
    path("alerts", alert_pages.index),
    path("alerts/me", alert_pages.hear),
    path("alerts/webhook", alert_pages.webhook),
    path("alerts/test", alert_pages.test),
    path("runbook", control.runbook),
    path("unknown", unknown.index),
    path("unknown/all/<str:decision>", unknown.decide_all),
    path("unknown/<uuid:message_id>/<str:decision>", unknown.decide),
]
