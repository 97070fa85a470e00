"""The form of the logs: one line for each event, as JSON or readable, for our own lines and for libraries' lines.

Removes secrets from each line as a last safety net. Texts, names and tokens must not reach a log line in the first
place.
"""

import logging
import logging.config
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Final

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from companion.service.error_place import kind_and_place

_SECRETS: Final = (
    # A bot's token, also as a part of an address.
    (re.compile(r"\d{5,}(?::|%3[Aa])[A-Za-z0-9_-]{30,}"), "[bot token]"),
    # The part of an address between :// and @ may be a database's password.
    (re.compile(r"(?<=://)[^/@\s\"]*(?=@)"), "[secret]"),
)
_TALKATIVE: Final = {"aiohttp.access": logging.CRITICAL, "django.server": logging.CRITICAL}
"""Loggers whose lines hold addresses (and so tokens)."""
_WORDY: Final = ("py.warnings", "asyncio")
"""Loggers whose lines quote values, after a beginning that quotes none."""


def redact(line: str) -> str:
    """Remove everything from the line that looks like a bot's token or an address's password."""
    for pattern, stand_in in _SECRETS:
        line = pattern.sub(stand_in, line)
    return line


def logging_settings(*, json: bool, level: str) -> dict[str, object]:
    """The settings for `configure`: everything from `level` on, to standard error, by one formatter."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"without_values": {"()": _WithoutValues}},
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": _last_steps(json=json),
                "foreign_pre_chain": _first_steps(),
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["without_values"]}},
        # Libraries' lines of the lower levels quote addresses and values.
        "root": {"handlers": ["stderr"], "level": max(logging.WARNING, _number(level))},
        "loggers": {
            "companion": {"level": _number(level)},
            # Django would give this logger handlers of its own; here all lines go through the root's handler.
            **{
                name: {"handlers": [], "level": max(least, _number(level)), "propagate": True}
                for name, least in ({"django": logging.INFO} | _TALKATIVE).items()
            },
        },
    }


def configure(settings: Mapping[str, object]) -> None:
    """Configure structlog and the standard library alike. Django calls this with LOGGING (see LOGGING_CONFIG)."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_first_steps(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.config.dictConfig(dict(settings))
    # Else logging prints a line that it can't format, with all its values.
    logging.raiseExceptions = False


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


class _WithoutValues(logging.Filter):
    """Take values out of the lines of libraries: requests' paths, which may hold a token, and whatever is quoted.

    Of an error only its kind and place are logged with a request: its message may quote a patient, and while the
    database is away each open page would log a whole traceback every few seconds.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if request is not None and isinstance(record.args, tuple):
            match = getattr(request, "resolver_match", None)
            route = match.route if match else "no route"
            record.args = tuple(_without_path(arg, request.path, route) for arg in record.args)
            if record.exc_info and record.exc_info[1]:
                said = kind_and_place(record.exc_info[1])
                record.msg = f"{record.msg} ({said['error']} at {said['place']})"
                record.exc_info = None
        elif not record.name.startswith("companion"):
            record.msg, record.args = _beginning(record), ()
        return True


def _beginning(record: logging.LogRecord) -> str:
    """A library's line without the values in it."""
    if record.name in _WORDY:
        # File, line and kind of a warning; the first line of asyncio's reports, which go on with objects.
        return ":".join(record.getMessage().partition("\n")[0].split(":")[:3])
    return str(record.msg)


def _without_path(arg: object, path: str, route: str) -> object:
    """Other addresses in the line, such as the referrer, may hold a token as well."""
    if arg == path:
        return route
    return "[left out]" if isinstance(arg, str) and "/" in arg else arg


def _first_steps() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _last_steps(*, json: bool) -> list[Processor]:
    look: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    )

    def last(logger: WrappedLogger, method: str, event: EventDict) -> str:
        return redact(str(look(logger, method, event)))

    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.ExceptionRenderer(_traceback),
        last,
    ]


def _traceback(exc_info: ExcInfo) -> str:
    """The traceback with the kinds of all errors in it, and without their messages, which may quote anything."""
    lines: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
        lines = [*frames.splitlines(), type(error).__name__, *(["", "after:", ""] if lines else []), *lines]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)
