"""Name the addresses of the Management Control Panel and of what admins do there."""

from django.urls import path

from companion.web.control import acts, alerts, pages, unknown

urlpatterns = [
    path("", pages.panel, name="control_panel"),
    path("/checks", pages.checks, name="control_checks"),
    path("/pause", acts.pause, name="pause_sending"),
    path("/resume", acts.resume, name="resume_sending"),
    path("/retry/<str:reason>", acts.retry, name="retry_reason"),
    path("/alerts", alerts.index, name="alerts"),
    path("/alerts/me", alerts.alert_me, name="alerts_me"),
    path("/alerts/test", alerts.test, name="alerts_test"),
    path("/alerts/heartbeat", alerts.heartbeat, name="alerts_heartbeat"),
    path("/maintenance", alerts.maintain, name="maintenance"),
    path("/acknowledge", acts.acknowledge, name="acknowledge_losses"),
    path("/runbook", pages.runbook, name="runbook"),
    path("/unknown", unknown.index, name="unknown_outcomes"),
    path("/unknown/all/<str:decision>", unknown.decide_all, name="unknown_decide_all"),
    path("/unknown/<uuid:message_id>/<str:decision>", unknown.decide, name="unknown_decide"),
]
