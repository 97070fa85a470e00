"""`{% icon "clock" %}`: puts an icon of Tabler into the page, from the SVG sprite that npm installed.

The whole sprite is over two megabytes; a page carries only the icons that it shows.
"""

import re
from functools import cache
from typing import Final

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

_SYMBOL: Final = re.compile(r'<symbol id="tabler-([a-z0-9-]+)"[^>]*>(.*?)</symbol>', re.DOTALL)
_FRAME: Final = '<path stroke="none" d="M0 0h24v24H0z" fill="none" />'


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw the icon of this name. It is hidden from screen readers, because a text always stands beside it.

    Raises KeyError for an unknown name.
    """
    return format_html(
        '<svg class="icon {}" width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        ' stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{}</svg>',
        css,
        _drawing(name),
    )


@cache
def _drawing(name: str) -> SafeString:
    sprite = settings.NODE_MODULES / "@tabler" / "icons-sprite" / "dist" / "tabler-sprite.svg"
    text = sprite.read_text(encoding="utf-8")
    start = text.find(f'<symbol id="tabler-{name}"')
    found = _SYMBOL.match(text, start) if start >= 0 else None
    if found is None:
        raise KeyError(f"The sprite has no icon named {name}.")
    return mark_safe(found[2].replace(_FRAME, ""))  # noqa: S308 (our own package's file, not anybody's input)
