"""The form of the logs: one line for each event, as JSON or for people, from our code and from libraries.

As a last protection, secrets are removed from each line. Our code must not log texts, names and tokens at all.
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
"""Loggers whose lines quote values, but not in their first part."""


def redact(line: str) -> str:
    """Remove everything from the line that looks like a bot's token or an address's password."""
    for pattern, stand_in in _SECRETS:
        line = pattern.sub(stand_in, line)
    return line


def logging_settings(*, json: bool, level: str) -> dict[str, object]:
    """The settings for `configure`: lines of `level` and above go to standard error, in one format."""
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
        # Libraries quote addresses and values in lines below the level warning.
        "root": {"handlers": ["stderr"], "level": max(logging.WARNING, _number(level))},
        "loggers": {
            "companion": {"level": _number(level)},
            # Django would add handlers to its logger; here all lines go through the root's handler.
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
    # Otherwise logging prints all values of a line that it can't format.
    logging.raiseExceptions = False


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


class _WithoutValues(logging.Filter):
    """A filter that removes values from the lines of libraries: paths of requests, which may hold a token, and others.

    Of an error in a request only the type and the place are logged: its message may quote a patient, and during an
    outage of the database each open page would log a whole traceback every few seconds.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if request is not None and isinstance(record.args, tuple):
            match = getattr(request, "resolver_match", None)
            route = match.route if match else "no route"
            record.args = tuple(_without_path(arg, request.path, route) for arg in record.args)
            if record.exc_info and record.exc_info[1]:
                error = kind_and_place(record.exc_info[1])
                record.msg = f"{record.msg} ({error['error']} at {error['place']})"
                record.exc_info = None
        elif not record.name.startswith("companion"):
            record.msg, record.args = _beginning(record), ()
        return True


def _beginning(record: logging.LogRecord) -> str:
    """A library's line without the values in it."""
    if record.name in _WORDY:
        # Of a warning: file, line and kind. Of asyncio's reports: the first line; further lines quote objects.
        return ":".join(record.getMessage().partition("\n")[0].split(":")[:3])
    return str(record.msg)


def _without_path(arg: object, path: str, route: str) -> object:
    """Replace the path by its route, and remove other addresses, such as the referrer, which may hold a token, too."""
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
    render: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    )

    def last(logger: WrappedLogger, method: str, event: EventDict) -> str:
        return redact(str(render(logger, method, event)))

    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.ExceptionRenderer(_traceback),
        last,
    ]


def _traceback(exc_info: ExcInfo) -> str:
    """The traceback, with the types of all errors but without their messages, which may quote any value."""
    lines: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
        lines = [*frames.splitlines(), type(error).__name__, *(["", "after:", ""] if lines else []), *lines]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)
