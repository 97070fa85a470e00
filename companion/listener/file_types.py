"""Tell a file's type by its first bytes, and not by its name or by what the sender says. Pure functions.

The table has only types that a browser shows or plays without running code. All other files are only downloaded.
"""

from typing import Final

UNKNOWN: Final = "application/octet-stream"
SUFFIXES: Final = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
    UNKNOWN: "",
}
_MAGIC: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"%PDF-", "application/pdf"),
)
_VIDEO_BRANDS: Final = (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash")
_AUDIO_BRANDS: Final = (b"M4A ", b"M4B ")


def type_of(begin: bytes) -> str:
    """Return the MIME type of a file that begins with these bytes (16 are enough)."""
    for magic, mime in _MAGIC:
        if begin.startswith(magic):
            return mime
    if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP":
        return "image/webp"
    if begin[4:8] == b"ftyp":
        if begin[8:12] in _AUDIO_BRANDS:
            return "audio/mp4"
        return "video/mp4" if begin[8:12] in _VIDEO_BRANDS else UNKNOWN
    return "audio/mpeg" if _is_mpeg_audio(begin) else UNKNOWN


def _is_mpeg_audio(begin: bytes) -> bool:
    """Return whether a frame of MPEG layer III begins here (ISO/IEC 11172-3, 2.4.1.3): sync, version, layer, rate."""
    if len(begin) < 4 or begin[0] != 0xFF or begin[1] & 0xE6 != 0xE2:
        return False
    return begin[1] & 0x18 != 0x08 and begin[2] & 0xF0 not in (0x00, 0xF0) and begin[2] & 0x0C != 0x0C
