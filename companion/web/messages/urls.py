"""Name the addresses of the list, the calendar, one message and one planned Occurrence."""

from typing import Final

from django.urls import path

from companion.web import undoing
from companion.web.messages import calendar, evidence, listing, occurrence, page

_OCCURRENCE: Final = "series/<uuid:schedule_id>/<str:occurrence>/<uuid:patient_id>"

urlpatterns = [
    path("", listing.index, name="messages"),
    path("/undo", undoing.undo, name="undo"),
    path("/many", listing.act_on_ticked, name="messages_selected"),
    path("/calendar", calendar.index, name="calendar"),
    path(f"/{_OCCURRENCE}", occurrence.show, name="occurrence"),
    path(f"/{_OCCURRENCE}/edit", occurrence.edit, name="occurrence_edit"),
    path(f"/{_OCCURRENCE}/cancel", occurrence.cancel, name="occurrence_cancel"),
    path("/<uuid:message_id>", page.show, name="message"),
    path("/<uuid:message_id>/evidence", evidence.export, name="message_evidence"),
    path("/<uuid:message_id>/cancel", page.cancel, name="message_cancel"),
    path("/<uuid:message_id>/send-now", page.send_now, name="message_send_now"),
    path("/<uuid:message_id>/retry", page.retry, name="message_retry"),
    path("/<uuid:message_id>/edit", page.edit, name="message_edit"),
]
