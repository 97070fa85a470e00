"""The download of a message's evidence packet."""

import uuid

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from companion.clinics.models import Role
from companion.rights.downloads import saved
from companion.rights.evidence import packet
from companion.schedules import queries
from companion.service.clock import database_now
from companion.web.access import PageRequest, page


@require_GET
@page(Role.PROVIDER)
def export(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """Download the packet as one HTML file."""
    message = queries.message(request.caller.clinic, message_id)
    return saved(packet(request.caller, message, now=database_now()), f"evidence-{message.pk}.html")
