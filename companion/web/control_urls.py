"""The addresses of what admins do on the Control Panel, under /mcp/."""

from django.urls import path

from companion.web import control_acts

urlpatterns = [
    path("pause", control_acts.pause),
    path("resume", control_acts.resume),
    path("retry/<str:reason>", control_acts.retry),
    path("alerts", control_acts.hear),
    path("unknown", control_acts.unknown),
    path("unknown/<uuid:message_id>/<str:decision>", control_acts.decide),
]
