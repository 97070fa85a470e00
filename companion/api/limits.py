"""The limits of programs: so many calls a minute for each key, so many at once for each clinic.

The count is the database's, for all web processes. A process reserves a twentieth of the minute's calls at a time, so
that most calls cost no query, and the limit is never passed; what a process reserved and didn't use is lost.
"""

import datetime as dt
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from companion.clinics.access import Caller
from companion.service.slots import CALLS, Busy, Slots

_RESERVE: Final = """
INSERT INTO api_keyuse (key_id, minute, used) VALUES (%s, %s, %s)
ON CONFLICT (key_id) DO UPDATE
SET used = CASE
        WHEN api_keyuse.minute - excluded.minute IN (0, 1) THEN api_keyuse.used + excluded.used ELSE excluded.used
    END,
    minute = CASE WHEN api_keyuse.minute - excluded.minute = 1 THEN api_keyuse.minute ELSE excluded.minute END
WHERE api_keyuse.minute - excluded.minute NOT IN (0, 1) OR api_keyuse.used < %s
RETURNING used
"""
"""Reserve calls in one statement, so that two processes never reserve the same calls. A process that read the clock
just before the minute turned counts with the new minute. A clock that was set back by more begins anew.
"""
Answer = Callable[[HttpRequest], HttpResponseBase]


@dataclass(slots=True)
class _Share:
    """The calls of a key that this process may still allow in this minute, and those that all have reserved."""

    left: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """A key's calls of this minute, as the API tells the key's owner."""

    limit: int
    left: int
    seconds: int
    """The seconds until the next minute begins."""


@dataclass(slots=True)
class _Limited:
    """A request's allowance and its taken slots, from the places that limit it to the middleware."""

    allowance: Allowance | None = None
    held: list[Callable[[], None]] = field(default_factory=list)
    """Functions that give the slots back."""


class Keys:
    """The shares of this process in the calls of all keys, for the present minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._shares: dict[uuid.UUID, _Share] = {}

    def spend(self, key: uuid.UUID, limit: int, *, now: dt.datetime) -> tuple[bool, Allowance]:
        """Spend a call of the key in this minute, and return whether one was left."""
        minute, second = divmod(int(now.timestamp()), 60)
        with self._lock:
            if self._minute - minute not in (0, 1):
                self._minute, self._shares = minute, {}
            minute = self._minute
            share = self._shares.setdefault(key, _Share())
            needs_more = share.left == 0 and share.reserved < limit
        if needs_more:
            got, reserved = _reserve(key, minute, limit)
            with self._lock:
                share.left, share.reserved = share.left + got, max(share.reserved, reserved)
        with self._lock:
            may = share.left > 0
            share.left -= may
            left = share.left + max(0, limit - share.reserved)
        return may, Allowance(limit, left, 60 - second)


_keys: Final = Keys()


def _reserve(key: uuid.UUID, minute: int, limit: int) -> tuple[int, int]:
    """Reserve a part of the key's calls. Returns the calls that it got, and all that are reserved now."""
    wanted = max(1, limit // 20)
    with connection.cursor() as cursor:
        # SQLite keeps UUIDs as 32 digits.
        own = key if connection.features.has_native_uuid_field else key.hex
        cursor.execute(_RESERVE, [own, minute, wanted, limit])
        row = cursor.fetchone()
    if row is None:
        return 0, limit
    return wanted - max(0, row[0] - limit), min(row[0], limit)


def admit(request: HttpRequest, caller: Caller, *, now: dt.datetime) -> None:
    """Count the call of a key, and let it run. Raises Busy."""
    if caller.kind != "key" or caller.id is None:
        return
    may, allowance = _keys.spend(caller.id, settings.COMPANION.calls_per_minute, now=now)
    _limited(request).allowance = allowance
    if not may:
        raise Busy(f"This key has used its {allowance.limit} calls of this minute.", allowance.seconds)
    hold(request, CALLS, caller)


def hold(request: HttpRequest, slots: Slots, caller: Caller) -> None:
    """Take one of the clinic's slots until the answer is through. Raises Busy."""
    slots.take(caller.clinic.id)
    _limited(request).held.append(lambda: slots.give_back(caller.clinic.id))


def limits(get_response: Answer) -> Answer:
    """Tell each program its limits, and give slots back when the answer is through (middleware)."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        try:
            answer = get_response(request)
        except BaseException:
            _give_back(request)
            raise
        _tell(request, answer)
        if isinstance(answer, StreamingHttpResponse) and request.method != "HEAD":
            answer.streaming_content = _Stream(cast("Iterable[bytes]", answer.streaming_content), request)
        else:
            _give_back(request)
        return answer

    return middleware


class _Stream:
    """The content of a streamed answer. Its end, or its close by the server, gives the slots back."""

    def __init__(self, content: Iterable[bytes], request: HttpRequest) -> None:
        self._content, self._request = content, request

    def __iter__(self) -> Iterator[bytes]:
        yield from self._content
        _give_back(self._request)

    def close(self) -> None:
        _give_back(self._request)


def _limited(request: HttpRequest) -> _Limited:
    # Django keeps what middleware knows of a request as attributes, which its type doesn't have.
    limited: _Limited = vars(request).setdefault("limited", _Limited())
    return limited


def _tell(request: HttpRequest, answer: HttpResponseBase) -> None:
    # draft-ietf-httpapi-ratelimit-headers: q calls in w seconds; r are left, the window ends in t seconds.
    if allowance := _limited(request).allowance:
        answer["RateLimit-Policy"] = f'"calls";q={allowance.limit};w=60'
        answer["RateLimit"] = f'"calls";r={allowance.left};t={allowance.seconds}'


def _give_back(request: HttpRequest) -> None:
    limited = _limited(request)
    # The end of a stream and its close both come here.
    held, limited.held = limited.held, []
    for give_back in held:
        give_back()
