"""Counts and small pieces of sentences."""

from django import template

from companion.schedules.queries import COUNTED_TO

register = template.Library()


@register.filter
def capped(count: int, cap: int = COUNTED_TO) -> str:
    """Write a count that stops at `cap`: "1,000+"."""
    return f"{cap:,}+" if count >= cap else f"{count:,}"


@register.filter
def plural(count: int, word: str) -> str:
    """Write a count with its noun: "1 message", "3 messages"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


@register.filter
def decapitalised(words: str) -> str:
    """Begin with a small letter, for use inside a sentence: "no Telegram ID"."""
    return words[:1].lower() + words[1:]


@register.filter
def listed(value: object) -> list[object]:
    """Return the value in a list; an empty list for an empty value."""
    return [value] if value else []
