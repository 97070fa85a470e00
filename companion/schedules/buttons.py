"""Answer buttons: their form in the database, the keyboard under a message, and the data of a tap.

Pure functions. A button's data names its Message, so a tap finds the Message even if Telegram's answer was lost.
"""

import datetime as dt
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

Rows = list[list[dict[str, str]]]

MOST: Final = 6
LONGEST: Final = 40
"""The most characters of a button: a phone shows about 40."""
_BESIDE: Final = 18
"""The most characters of a button that leaves room for a second button in its row."""
_DATA: Final = re.compile(r"answer:([0-9a-f]{32}):([0-9]?)")


@dataclass(frozen=True, slots=True)
class Button:
    """An answer button. With `again_after`, a tap asks for the message again after this time."""

    text: str = field(repr=False)
    again_after: dt.timedelta | None = None


@dataclass(frozen=True, slots=True)
class TapData:
    """The Message of a button, and the button's index; None for a button that only shows the answer."""

    message: uuid.UUID
    index: int | None


def written(buttons: Sequence[Button]) -> str | None:
    """Write buttons as JSON, the form that a Version keeps; None without buttons."""
    if not buttons:
        return None
    rows = [[button.text, button.again_after.total_seconds() if button.again_after else None] for button in buttons]
    return json.dumps(rows, ensure_ascii=False)


def read(kept: str | None) -> tuple[Button, ...]:
    """Read buttons in the form that `written` gives."""
    rows = json.loads(kept) if kept else []
    return tuple(Button(text, dt.timedelta(seconds=again) if again else None) for text, again in rows)


def keyboard(message: uuid.UUID, buttons: Sequence[Button]) -> Rows:
    """Telegram's inline keyboard for this Message."""
    cells = [{"text": button.text, "callback_data": f"answer:{message.hex}:{i}"} for i, button in enumerate(buttons)]
    wide = 2 if all(len(button.text) <= _BESIDE for button in buttons) else 1
    return [cells[start : start + wide] for start in range(0, len(cells), wide)]


def answer_shown(message: uuid.UUID, words: str) -> Rows:
    """The keyboard of this Message, which replaces the buttons after a tap: it shows the answer."""
    return [[{"text": words, "callback_data": f"answer:{message.hex}:"}]]


def read_data(data: str) -> TapData | None:
    """Read the data of a tap; None for any other button."""
    found = _DATA.fullmatch(data)
    return TapData(uuid.UUID(hex=found[1]), int(found[2]) if found[2] else None) if found else None
