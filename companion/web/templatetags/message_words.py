"""Words for a message's recipient, and for the reason why a message failed."""

from django import template

from companion.schedules.models import Message
from companion.schedules.reasons import Reason

register = template.Library()


@register.filter
def reason_words(code: str) -> str:
    """Write the reason why a message failed in two or three words."""
    return Reason(code).short


@register.filter
def recipient(message: Message) -> str:
    """Name the patient of a message, or say why there is none."""
    if message.patient:
        return message.patient.name
    return "Unknown chat" if message.telegram_id else "Erased patient"
