"""Words for a message's end."""

from django import template

from companion.schedules.reasons import Reason

register = template.Library()


@register.filter
def reason_words(code: str) -> str:
    """Write the reason why a message failed in two or three words."""
    return Reason(code).short
