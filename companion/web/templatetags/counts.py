"""Counts and small pieces of sentences."""

from django import template

from companion.schedules.queries import COUNTED_TO

register = template.Library()


@register.filter
def capped(count: int, cap: int = COUNTED_TO) -> str:
    """A count that is counted up to `cap` only: "1,000+" from there."""
    return f"{cap:,}+" if count >= cap else f"{count:,}"


@register.filter
def plural(count: int, word: str) -> str:
    """ "1 message", "3 messages"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


@register.filter
def decapitalised(words: str) -> str:
    """ "no Telegram ID", of "No Telegram ID": inside a sentence."""
    return words[:1].lower() + words[1:]


@register.filter
def listed(value: object) -> list[object]:
    """A list of it, or of nothing where there is none."""
    return [value] if value else []
