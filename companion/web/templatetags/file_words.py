"""Files that patients sent: the words of the button that opens a file, or why the file can't be opened."""

from typing import Final

from django import template
from django.template.defaultfilters import filesizeformat

from companion.listener.media import obstacle
from companion.listener.models import Media

register = template.Library()

_LABELS: Final = {
    "photo": "Show the photo",
    "sticker": "Show the sticker",
    "voice": "Play the voice note",
    "audio": "Play the recording",
    "video": "Play the video",
    "video_note": "Play the video note",
}


@register.filter
def file_obstacle(file: Media) -> str:
    """Say why a patient's file can't be opened, if that is known."""
    return obstacle(file)


@register.filter
def file_label(file: Media) -> str:
    """Name the button that opens a patient's file: "Show the photo (1.2 MB)"."""
    label = _LABELS.get(file.kind) or f"Open the {file.kind.replace('_', ' ')}"
    return f"{label} ({filesizeformat(file.size)})" if file.size else label
