"""Limits for programs: calls per minute for each key, and simultaneous calls for each clinic and person.

The database counts the calls of a key over all web processes. To spare queries, a process reserves a twentieth of the
minute's calls at a time. So the limit is never exceeded; calls that a process reserved but didn't use are lost.
"""

import datetime as dt
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from companion.clinics.access import Caller
from companion.service.slots import CALLS, PEOPLE, Busy, Owner, Slots

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
"""Reserve calls in one statement, so that two processes never reserve the same calls.

A process that read the clock just before a new minute began counts its calls in the new minute. If the clock was set
back by more than a minute, the count starts again.
"""
Answer = Callable[[HttpRequest], HttpResponseBase]


@dataclass(slots=True)
class _Share:
    """The calls of a key that this process may still allow in this minute, and those that all processes reserved."""

    left: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """A key's calls in this minute, as the API's headers report them."""

    limit: int
    left: int
    seconds: int
    """The seconds until the next minute begins."""


@dataclass(slots=True)
class _Limited:
    """A request's allowance, and the slots that it holds until the middleware gives them back."""

    allowance: Allowance | None = None
    releases: list[Callable[[], None]] = field(default_factory=list)
    """A function for each slot, which gives the slot back."""


class Spent(NamedTuple):
    """The answer to a call that is to be counted: whether it may go on, and what the key has left."""

    may: bool
    allowance: Allowance


class Keys:
    """The shares of this process in the calls of all keys, for the present minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._shares: dict[uuid.UUID, _Share] = {}

    def spend(self, key: uuid.UUID, limit: int, *, now: dt.datetime) -> Spent:
        """Spend a call of the key in this minute, if a call is left."""
        minute, second = divmod(int(now.timestamp()), 60)
        with self._lock:
            if self._minute - minute not in (0, 1):
                self._minute, self._shares = minute, {}
            minute = self._minute
            share = self._shares.setdefault(key, _Share())
            needs_more = share.left == 0 and share.reserved < limit
        if needs_more:
            reserved = _reserve(key, minute, limit)
            with self._lock:
                share.left, share.reserved = share.left + reserved.added, max(share.reserved, reserved.altogether)
        with self._lock:
            may = share.left > 0
            share.left -= may
            left = share.left + max(0, limit - share.reserved)
        return Spent(may, Allowance(limit, left, 60 - second))


_keys: Final = Keys()


class _Reserved(NamedTuple):
    """The calls of a key that were reserved just now, and all that are reserved."""

    added: int
    altogether: int


def _reserve(key: uuid.UUID, minute: int, limit: int) -> _Reserved:
    """Reserve a part of the key's calls for this process."""
    wanted = max(1, limit // 20)
    with connection.cursor() as cursor:
        # SQLite stores UUIDs as 32 hexadecimal digits.
        key_id = key if connection.features.has_native_uuid_field else key.hex
        cursor.execute(_RESERVE, [key_id, minute, wanted, limit])
        row = cursor.fetchone()
    if row is None:
        return _Reserved(0, limit)
    return _Reserved(wanted - max(0, row[0] - limit), min(row[0], limit))


def admit(request: HttpRequest, caller: Caller, *, now: dt.datetime) -> None:
    """Count the call of a key. Raises Busy if the key has used its calls, or the clinic has too many at once."""
    if caller.kind != "key" or caller.id is None:
        return
    may, allowance = _keys.spend(caller.id, settings.COMPANION.calls_per_minute, now=now)
    _limited(request).allowance = allowance
    if not may:
        raise Busy(f"This key has used its {allowance.limit} calls of this minute.", allowance.seconds)
    hold(request, CALLS, caller)


def hold(request: HttpRequest, slots: Slots, caller: Caller) -> None:
    """Take one of the clinic's slots until the answer has been sent. Raises Busy if no slot is free."""
    _hold(request, slots, caller.clinic.id)


def hold_of_person(request: HttpRequest) -> None:
    """Take one of the signed-in person's slots until the answer has been sent. Raises Busy if no slot is free."""
    if request.user.is_authenticated:
        _hold(request, PEOPLE, request.user.pk)


def _hold(request: HttpRequest, slots: Slots, owner: Owner) -> None:
    slots.take(owner)
    _limited(request).releases.append(lambda: slots.give_back(owner))


def limits(get_response: Answer) -> Answer:
    """Middleware that adds the limits to each answer, and gives slots back when the answer has been sent."""

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
    """The content of a streamed answer. When it ends, or when the server closes it, the slots are given back."""

    def __init__(self, content: Iterable[bytes], request: HttpRequest) -> None:
        self._content, self._request = content, request

    def __iter__(self) -> Iterator[bytes]:
        yield from self._content
        _give_back(self._request)

    def close(self) -> None:
        _give_back(self._request)


def _limited(request: HttpRequest) -> _Limited:
    # As in Django's own middleware, the value is an attribute of the request; the request's type doesn't declare it.
    limited: _Limited = vars(request).setdefault("limited", _Limited())
    return limited


def _tell(request: HttpRequest, answer: HttpResponseBase) -> None:
    # draft-ietf-httpapi-ratelimit-headers: q calls are allowed in w seconds; r calls are left for the next t seconds.
    if allowance := _limited(request).allowance:
        answer["RateLimit-Policy"] = f'"calls";q={allowance.limit};w=60'
        answer["RateLimit"] = f'"calls";r={allowance.left};t={allowance.seconds}'


def _give_back(request: HttpRequest) -> None:
    limited = _limited(request)
    # Both the end and the close of a stream call this function: the slots must be given back once.
    releases, limited.releases = limited.releases, []
    for release in releases:
        release()
