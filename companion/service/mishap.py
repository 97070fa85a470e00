"""What a log may say of an exception that nobody foresaw: its kind and its place. Its own words may quote a patient."""

import traceback
from pathlib import Path


def kind_and_place(error: BaseException) -> dict[str, str]:
    """For a log line: the exception's class, and where our own code stood, rather than a library's that it called."""
    frames = traceback.extract_tb(error.__traceback__)
    last = ([frame for frame in frames if "companion" in Path(frame.filename).parts] or frames)[-1:]
    place = f"{Path(last[0].filename).name}:{last[0].lineno}" if last else "nowhere"
    return {"error": type(error).__name__, "place": place}
