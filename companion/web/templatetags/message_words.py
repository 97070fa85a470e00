"""The words for a message's end."""

from django import template

from companion.schedules.reasons import Reason

register = template.Library()


@register.filter
def reason_words(code: str) -> str:
    """Two or three words for the reason why a message failed."""
    return Reason(code).short
