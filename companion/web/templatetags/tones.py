"""The colour that goes with a status; the word always stands beside it."""

from django import template

from companion.patients.models import Consent
from companion.schedules.models import State, Status

register = template.Library()

STATES = {State.ACTIVE: "green", State.PAUSED: "orange", State.ENDED: "secondary", State.CANCELLED: "secondary"}
TONES = {Status.PENDING: "blue", Status.SENT: "green", Status.FAILED: "red", Status.CANCELLED: "secondary"}


@register.filter
def tone(status: str) -> str:
    """The colour that goes with a Message's status; the word always stands beside it."""
    return TONES[Status(status)]


@register.filter
def state_tone(state: str) -> str:
    """The colour that goes with a Schedule's state; the word always stands beside it."""
    return STATES[State(state)]


@register.filter
def layer_tone(status: str) -> str:
    """The colour of a layer's own answer."""
    return "green" if status == "ok" else "red" if status in ("down", "failed") else "orange"


@register.filter
def consent_tone(consent: str) -> str:
    """The colour of a line of a consent's history."""
    return {Consent.GIVEN: "green", Consent.WITHDRAWN: "red"}.get(Consent(consent), "secondary")
