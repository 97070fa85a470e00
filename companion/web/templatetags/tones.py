"""Colours of statuses. The status's word always stands beside its colour."""

from typing import Final

from django import template

from companion.patients.models import Consent
from companion.schedules.models import State, Status

register = template.Library()

STATES: Final = {State.ACTIVE: "green", State.PAUSED: "orange", State.ENDED: "secondary", State.CANCELLED: "secondary"}
TONES: Final = {Status.PENDING: "blue", Status.SENT: "green", Status.FAILED: "red", Status.CANCELLED: "secondary"}


@register.filter
def tone(status: str) -> str:
    """Return the colour of a Message's status."""
    return TONES[Status(status)]


@register.filter
def state_tone(state: str) -> str:
    """Return the colour of a Schedule's state."""
    return STATES[State(state)]


@register.filter
def layer_tone(status: str) -> str:
    """Return the colour of a health layer's status."""
    return "green" if status == "ok" else "red" if status in ("down", "failed") else "orange"


@register.filter
def consent_tone(consent: str) -> str:
    """Return the colour of an entry in a patient's consent history."""
    return {Consent.GIVEN: "green", Consent.WITHDRAWN: "red"}.get(Consent(consent), "secondary")
