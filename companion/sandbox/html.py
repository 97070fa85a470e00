"""Turn Telegram's HTML into the plain text that a phone shows. Tags are checked as by Telegram, then dropped."""

import re
from typing import Final

_TAGS: Final = frozenset(
    ("b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "span", "blockquote", "tg-spoiler")
)
_ENTITIES: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_PART: Final = re.compile(r"<(?P<end>/?)(?P<tag>[^\s/>]*)(?P<rest>[^>]*)(?P<close>>?)|&(?P<entity>#?[A-Za-z0-9]+);?")


class NotHtml(Exception):
    """Telegram would refuse the text. The message says why, in Telegram's words, and may quote the text."""


def plain_of_html(html: str) -> str:
    """Return the text without its tags. Raises NotHtml."""
    plain: list[str] = []
    open_tags: list[str] = []
    done = 0
    for part in _PART.finditer(html):
        plain.append(html[done : part.start()])
        done = part.end()
        if part["entity"] is not None:
            plain.append(_entity(part[0], part["entity"]))
            continue
        at = len(html[: part.start()].encode())
        if not part["close"]:
            raise NotHtml(f"Unclosed {'end' if part['end'] else 'start'} tag at byte offset {at}")
        if part["end"]:
            _close(part["tag"].lower(), open_tags, at)
        else:
            open_tags.append(_opened(part["tag"].lower(), part["rest"], at))
    if open_tags:
        raise NotHtml(f'Can\'t find end tag corresponding to start tag "{open_tags[-1]}"')
    return "".join([*plain, html[done:]])


def _entity(written: str, name: str) -> str:
    """Return the character that an entity names. An unknown entity stays as it was written."""
    if name in _ENTITIES:
        return _ENTITIES[name]
    number = re.fullmatch(r"#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}))", name)
    if number is None:
        return written
    code = int(number[1], 16) if number[1] else int(number[2])
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code <= 0xDFFF else written


def _opened(tag: str, rest: str, at: int) -> str:
    if tag not in _TAGS:
        raise NotHtml(f'Unsupported start tag "{tag}" at byte offset {at}')
    if tag == "span" and not re.search(r"""class\s*=\s*["']?tg-spoiler\b""", rest):
        raise NotHtml(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
    return tag


def _close(tag: str, open_tags: list[str], at: int) -> None:
    if not open_tags:
        raise NotHtml(f"Unexpected end tag at byte offset {at}")
    expected = open_tags.pop()
    if tag and tag != expected:
        raise NotHtml(f'Unmatched end tag at byte offset {at}, expected "</{expected}>", found "</{tag}>"')
