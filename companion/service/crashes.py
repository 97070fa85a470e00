"""Warnings and errors that nobody has caught, as lines of the log like all others."""

import logging
import sys
import threading
from types import TracebackType


def log_crashes() -> None:
    """Let warnings and errors that nobody has caught, in any thread, become one line of the log each."""
    logging.captureWarnings(capture=True)
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed
    sys.unraisablehook = _left_over


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, Exception):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("companion").critical("the process crashed", exc_info=(kind, error, trace))


def _thread_crashed(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread else "unknown"
    trace = (args.exc_type, args.exc_value, args.exc_traceback)
    logging.getLogger("companion").critical("the thread %s crashed", name, exc_info=trace)


def _left_over(args: "sys.UnraisableHookArgs") -> None:
    """Log an error that nobody can catch: raised while an object was thrown away."""
    if args.exc_value is not None:
        trace = (args.exc_type, args.exc_value, args.exc_traceback)
        logging.getLogger("companion").error("an error that nobody could catch", exc_info=trace)
