"""The kind and place of an unexpected exception, for logs. Its message is left out, since it may quote a patient."""

import traceback
from pathlib import Path


def kind_and_place(error: BaseException) -> dict[str, str]:
    """The exception's class, and the last line of our code through which it passed, for the log."""
    frames = traceback.extract_tb(error.__traceback__)
    last = ([frame for frame in frames if "companion" in Path(frame.filename).parts] or frames)[-1:]
    place = f"{Path(last[0].filename).name}:{last[0].lineno}" if last else "nowhere"
    return {"error": type(error).__name__, "place": place}
