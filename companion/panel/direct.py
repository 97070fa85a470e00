"""A short HTTP request to a service's health address. It never raises an error and never waits long."""

import http.client
import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from companion.service.fellows import credentials

SECONDS: Final = 1.0
"""A healthy service answers within milliseconds."""
_MOST_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A service's report on itself: its status ("ok", "degraded", "down") and, unless ok, the reason."""

    status: str
    detail: str
    cause: str = ""
    """The name of the cause, if the service knows it."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The reason why no answer came, in our own words."""

    why: str
    silent: bool = False
    """True if the connection was accepted, but no answer came in time."""


def ask(url: str, *, seconds: float = SECONDS) -> Answer | NoAnswer:
    """GET `url`, which answers JSON with `status` and perhaps `detail`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return NoAnswer("no address is known")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    # urllib would use a proxy that the environment may name.
    connection = kind(parts.hostname, parts.port, timeout=seconds)
    try:
        headers = {"Accept": "application/json", "Authorization": credentials()}
        connection.request("GET", parts.path or "/", headers=headers)
        response = connection.getresponse()
        return _read(response.status, response.read(_MOST_BYTES))
    except TimeoutError:
        return NoAnswer(f"no answer within {seconds:g} s", silent=True)
    except ConnectionRefusedError:
        return NoAnswer("nothing listens there")
    except (OSError, http.client.HTTPException, ValueError, OverflowError):
        return NoAnswer("the connection failed")
    finally:
        connection.close()


def _read(code: int, body: bytes) -> Answer | NoAnswer:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return NoAnswer(f"an answer that can't be read (HTTP {code})")
    status = values.get("status") if isinstance(values, dict) else None
    if status in ("alive", "not alive"):
        return NoAnswer("it runs with another COMPANION_SECRET_KEY than this process")
    if status not in ("ok", "degraded", "down"):
        return NoAnswer(f"an answer that can't be read (HTTP {code})")
    detail, cause = values.get("detail"), values.get("cause")
    return Answer(status, detail if isinstance(detail, str) else "", cause if isinstance(cause, str) else "")
