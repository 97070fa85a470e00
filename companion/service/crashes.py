"""Warnings and uncaught errors, written to the log like all other events."""

import logging
import sys
import threading
from types import TracebackType


def log_crashes() -> None:
    """Write each warning and each uncaught error, in any thread, as one event to the log."""
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
    """Log an error that no code can catch, because it was raised while Python deleted an object."""
    if args.exc_value is not None:
        trace = (args.exc_type, args.exc_value, args.exc_traceback)
        logging.getLogger("companion").error("an error that nobody could catch", exc_info=trace)
